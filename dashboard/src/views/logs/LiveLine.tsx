/** What a live view says of itself: that it follows, waits, holds, or cannot. */
import { useWindow } from "../../frame/window";
import { count } from "../../time/format";
import { DEFAULT_RANGE, parseRange } from "../../time/range";
import type { TailState } from "./tail";
import { MOST_LIVE } from "./useTail";
import styles from "./LiveLine.module.css";

interface Props {
  /** Null if the range ends in the past, so that nothing new is in it. */
  tail: TailState | null;
  isPaused: boolean;
  onPause: (isPaused: boolean) => void;
  isCut: boolean;
}

export function LiveLine({ tail, isPaused, onPause, isCut }: Props) {
  const { setRange, range } = useWindow();
  const isPast = range.kind === "between";
  const said = () => {
    if (isPast) return "The range ends in the past: nothing new comes into it.";
    if (isPaused) return "Paused. Lines go on to be counted.";
    if (!tail || tail.status === "connecting") return "Connecting …";
    if (tail.status === "open") return "Live.";
    const attempt = tail.retries > 1 ? ` (attempt ${count(tail.retries)})` : "";
    return `${tail.reason ?? "The connection was lost."} Connecting again${attempt}; nothing is left out.`;
  };
  return (
    <p className={styles.line}>
      <span role="status">{said()}</span>
      {isCut && !isPast && <span className="quiet">The newest {count(MOST_LIVE)} lines are kept here; all of them when live is off.</span>}
      {isPast ? (
        <button
          type="button"
          onClick={() => {
            const last = parseRange(DEFAULT_RANGE);
            if (last) setRange(last);
          }}
        >
          Show the last hour
        </button>
      ) : (
        <button type="button" aria-pressed={isPaused} onClick={() => onPause(!isPaused)}>
          {isPaused ? "Go on" : "Pause"}
        </button>
      )}
    </p>
  );
}

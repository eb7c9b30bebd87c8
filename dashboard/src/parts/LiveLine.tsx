/** What a live view says of itself: that it follows, waits, holds, or cannot. */
import { MOST_LIVE } from "../api/live";
import type { Tail } from "../api/tail";
import { useWindow } from "../frame/window";
import { count } from "../time/format";
import { DEFAULT_RANGE, parseRange } from "../time/range";
import styles from "./LiveLine.module.css";

interface Props {
  /** What arrives: `lines`. */
  what: string;
  tail: Tail<unknown>;
  isPaused: boolean;
  onPause: (isPaused: boolean) => void;
}

export function LiveLine({ what, tail, isPaused, onPause }: Props) {
  const { setRange, range } = useWindow();
  const isPast = range.kind === "between";
  const said = () => {
    if (isPast) return "The range ends in the past: nothing new comes into it.";
    if (isPaused) return `Paused: new ${what} wait until you resume.`;
    if (tail.state === "off" || tail.state === "connecting") return "Connecting …";
    if (tail.state === "open") return "Live.";
    const attempt = tail.retries > 1 ? ` (attempt ${count(tail.retries)})` : "";
    return `${tail.reason ?? "The connection was lost."} Connecting again${attempt}; nothing is left out.`;
  };
  return (
    <p className={styles.line}>
      <span role="status">{said()}</span>
      {tail.isCut && !isPast && (
        <span className="quiet">
          The newest {count(MOST_LIVE)} {what} are kept here; all of them when live is off.
        </span>
      )}
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
          {isPaused ? "Resume" : "Pause"}
        </button>
      )}
    </p>
  );
}

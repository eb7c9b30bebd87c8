/** When something was: how long ago, or at which time where the range is one of the past. */
import { useWindow } from "../frame/window";
import { age, inFull } from "../time/format";
import { useNow } from "../time/useNow";

interface Props {
  at: string;
  className?: string;
  /** Whether it is of the range that is shown, and not of now whatever the range. */
  isOfRange?: boolean;
}

export function Age({ at, className = "", isOfRange = true }: Props) {
  const { range, until, now: asked } = useWindow();
  const ticked = useNow();
  // What was loaded just now is not older than the last tick, but as old as it is.
  const now = new Date(Math.max(ticked, asked.getTime()));
  return (
    <time className={`quiet ${className}`} dateTime={at} title={inFull(at)}>
      {age(at, now, isOfRange && range.kind === "between" && until < now)}
    </time>
  );
}

/** Says where a range until now ends, once that is no longer now. A click asks again. It stands last, so that nothing moves when it comes. */
import { inFull } from "../time/format";
import { useNow } from "../time/useNow";
import { useWindow } from "./window";

/** From which age on what is shown is not of now. */
const OLD_MS = 30_000;

export function AsOf() {
  const { isOver, isLive, now, refresh } = useWindow();
  const ticked = useNow();
  if (isOver || isLive || ticked - now.getTime() < OLD_MS) return null;
  return (
    <button type="button" className="plain quiet small" title={`All that is shown ends at ${inFull(now.toISOString())}\nRefresh (r)`} onClick={refresh}>
      as of {clockOf(now)}
    </button>
  );
}

/** `03:45`, and the day before it if that is not today. */
function clockOf(time: Date): string {
  const clock = `${String(time.getHours()).padStart(2, "0")}:${String(time.getMinutes()).padStart(2, "0")}`;
  if (time.toDateString() === new Date().toDateString()) return clock;
  return `${time.toLocaleDateString(undefined, { day: "numeric", month: "short" })} ${clock}`;
}

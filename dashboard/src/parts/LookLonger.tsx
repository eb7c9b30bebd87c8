/** Where a range has nothing: a longer one. */
import { useWindow } from "../frame/window";
import { parseRange } from "../time/range";

const WEEK = "7d";

export function LookLonger() {
  const { text, setRange } = useWindow();
  const week = parseRange(WEEK);
  if (text === WEEK || week === null) return null;
  return (
    <button type="button" onClick={() => setRange(week)}>
      Look at the last 7 days
    </button>
  );
}

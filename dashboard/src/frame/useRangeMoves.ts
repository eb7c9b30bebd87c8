/** The ranges around the one that is shown. */
import { resolve, shift, zoomOut } from "../time/range";
import { useWindow } from "./window";

export function useRangeMoves() {
  const { range, setRange, until, now } = useWindow();
  const move = (by: -1 | 1) => setRange(shift({ kind: "between", ...resolve(range, now) }, by, now));
  return {
    isAtEnd: range.kind === "last" || until >= now,
    earlier: () => move(-1),
    later: () => move(1),
    zoomOut: () => setRange(zoomOut(range, now)),
  };
}

/** Choosing a range by dragging on a chart. With Shift it zooms out: as much time as was dragged over is added on both sides. */
import { useCallback } from "react";
import { useWindow } from "../../frame/window";

/** Windows are of a minute: a shorter range shows none. */
const SHORTEST_MS = 60_000;

export function useZoom(): (from: Date, until: Date, isAdded?: boolean) => void {
  const { setRange, from: shownFrom, until: shownUntil } = useWindow();
  return useCallback(
    (from, until, isAdded = false) => {
      const length = Math.max(until.getTime() - from.getTime(), SHORTEST_MS);
      const start = isAdded ? shownFrom.getTime() - length : from.getTime();
      const end = isAdded ? Math.min(shownUntil.getTime() + length, Math.max(Date.now(), shownUntil.getTime())) : start + length;
      setRange({ kind: "between", from: new Date(start), until: new Date(end) });
    },
    [setRange, shownFrom, shownUntil],
  );
}

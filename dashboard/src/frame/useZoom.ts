/** Choosing a range by dragging on a chart, the same in all views. */
import { useCallback } from "react";
import { grow } from "../time/range";
import { useWindow } from "./window";

/** What stands beside a chart. */
export const ZOOM_HINT = "drag to zoom in, Shift and drag to zoom out";

/** Dragging shows what is dragged over. With Shift the range grows by as much, on both sides. `shortest` is in milliseconds. */
export function useZoom(shortest = 1): (from: Date, until: Date, isOut: boolean) => void {
  const { setRange, from: shownFrom, until: shownUntil } = useWindow();
  return useCallback(
    (from, until, isOut) => {
      const start = Math.floor(from.getTime());
      const length = Math.max(Math.ceil(until.getTime()) - start, shortest);
      if (isOut) setRange(grow({ kind: "between", from: shownFrom, until: shownUntil }, length, new Date()));
      else setRange({ kind: "between", from: new Date(start), until: new Date(start + length) });
    },
    [setRange, shortest, shownFrom, shownUntil],
  );
}

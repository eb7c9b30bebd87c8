/** Keeps rows that each answer sorts where they are, while one points at them or has the focus there. */
import { useState } from "react";
import type { FocusEvent, PointerEvent } from "react";

/** The rows in the order that is held; those that came since are behind them. */
export function arrange<T>(rows: readonly T[], held: readonly string[], idOf: (row: T) => string): T[] {
  const places = new Map(held.map((id, index) => [id, index]));
  const placeOf = (row: T) => places.get(idOf(row)) ?? held.length;
  return rows.toSorted((a, b) => placeOf(a) - placeOf(b));
}

export function useHeldOrder<T>(rows: T[], idOf: (row: T) => string) {
  const [held, setHeld] = useState<string[] | null>(null);
  const hold = () => setHeld((before) => before ?? rows.map(idOf));
  return {
    rows: held === null ? rows : arrange(rows, held, idOf),
    /** For the element that has the rows. */
    holds: {
      onPointerEnter: hold,
      onFocus: hold,
      onPointerLeave: (event: PointerEvent) => {
        if (!event.currentTarget.contains(document.activeElement)) setHeld(null);
      },
      onBlur: (event: FocusEvent) => {
        if (!event.currentTarget.contains(event.relatedTarget) && !event.currentTarget.matches(":hover")) setHeld(null);
      },
    },
  };
}

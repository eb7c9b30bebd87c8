/** Moving among the rows of a view by `j` and `k`, or the arrows. Rows have `data-row`, and what has the focus opens by Enter by itself. */
import { useRef } from "react";
import type { RefObject } from "react";
import { useKeys } from "../frame/keys";

/** The first row of the next list, or of the one before; each list is a section. */
export function rowOfList(lists: unknown[], at: number, by: 1 | -1): number {
  const firsts = lists.flatMap((list, index) => (index === 0 || list !== lists[index - 1] ? [index] : []));
  if (by > 0) return firsts.find((first) => first > at) ?? firsts.at(-1) ?? 0;
  return firsts.findLast((first) => first < at && lists[first] !== lists[at]) ?? 0;
}

export function useRowFocus<T extends HTMLElement>({ hasLists = false } = {}): RefObject<T | null> {
  const view = useRef<T>(null);
  // A row that was taken away, or a dialog, has taken the focus along: it goes on from there.
  const last = useRef(-1);
  const all = () => [...(view.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
  const focus = (rows: HTMLElement[], index: number) => {
    last.current = Math.min(Math.max(index, 0), rows.length - 1);
    rows[last.current]?.focus();
  };
  const move = (by: 1 | -1) => {
    const rows = all();
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    focus(rows, at >= 0 ? at + by : Math.max(last.current, 0));
  };
  const moveToList = (by: 1 | -1) => {
    const rows = all();
    const focused = rows.findIndex((row) => row.contains(document.activeElement));
    focus(rows, rowOfList(rows.map((row) => row.closest("section")), focused >= 0 ? focused : last.current, by));
  };
  useKeys([
    ...(hasLists
      ? [
          { keys: "J", name: "Next list", run: () => moveToList(1) },
          { keys: "K", name: "Previous list", run: () => moveToList(-1) },
        ]
      : []),
    { keys: "j", name: "Next row", run: () => move(1) },
    { keys: "k", name: "Previous row", run: () => move(-1) },
    { keys: "ArrowDown", name: "Next row", run: () => move(1) },
    { keys: "ArrowUp", name: "Previous row", run: () => move(-1) },
    { keys: "g g", name: "First row", run: () => focus(all(), 0) },
    { keys: "G", name: "Last row", run: () => focus(all(), Infinity) },
    { keys: "Enter", name: "Open the row" },
  ]);
  return view;
}

/** Moving among the rows of a view by `j` and `k`. Rows are links with `data-row`: Enter opens them by itself. */
import { useRef } from "react";
import type { RefObject } from "react";
import { useKeys } from "../frame/keys";

export function useRowFocus<T extends HTMLElement>(): RefObject<T | null> {
  const view = useRef<T>(null);
  const move = (by: 1 | -1) => {
    const rows = [...(view.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
  };
  useKeys([
    { keys: "j", name: "Next row", run: () => move(1) },
    { keys: "k", name: "Row before", run: () => move(-1) },
  ]);
  return view;
}

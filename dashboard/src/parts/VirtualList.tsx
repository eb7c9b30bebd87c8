/** Rows of equal height, of which only those in sight are drawn. One row is chosen, by key or click. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { ReactNode } from "react";
import styles from "./VirtualList.module.css";

interface Props<T> {
  rows: T[];
  /** What tells one row from the others. */
  idOf: (row: T) => string | number;
  /** What the list is, for those who cannot see it. */
  label: string;
  chosen?: string | number | null;
  onChoose?: (row: T, index: number) => void;
  onOpen?: (row: T, index: number) => void;
  children: (row: T, index: number) => ReactNode;
  /** Called when the last rows come in sight. */
  onEnd?: () => void;
  /** What stands below the last row. */
  foot?: ReactNode;
}

export function VirtualList<T>({ rows, idOf, label, chosen, onChoose, onOpen, children, onEnd, foot }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const rowHeight = matchMedia("(pointer: coarse)").matches ? 28 : 24;
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => rowHeight, overscan: 20 });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= rows.length - 20) onEnd?.();
  }, [last, onEnd, rows.length]);
  const index = rows.findIndex((row) => idOf(row) === chosen);
  useEffect(() => {
    if (index >= 0) virtual.scrollToIndex(index);
    // Only a change of the choice scrolls.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [chosen]);
  return (
    // Keys of the view (j, k, Enter) move the choice.
    <div ref={box} className={styles.box} role="listbox" aria-label={label} tabIndex={0}>
      <div className={styles.all} style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const isChosen = idOf(row) === chosen;
          return (
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events
            <div
              key={idOf(row)}
              role="option"
              tabIndex={-1}
              aria-selected={isChosen}
              aria-posinset={item.index + 1}
              aria-setsize={rows.length}
              className={styles.row}
              style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}
              onClick={() => {
                onChoose?.(row, item.index);
                onOpen?.(row, item.index);
              }}
            >
              {children(row, item.index)}
            </div>
          );
        })}
      </div>
      {foot}
    </div>
  );
}

/** A table of some hundred rows, which its heads sort. Rows take the focus by j and k (useRowFocus), and open by Enter. */
import { useScrollHint } from "./useScrollHint";
import type { ReactNode } from "react";
import styles from "./Table.module.css";

export interface Column<T> {
  /** The name by which it sorts; in the address it is `name`, or `-name` for the largest first. */
  name: string;
  label: string;
  cell: (row: T) => ReactNode;
  isNumber?: boolean;
  /** Whether the column is as wide as what is in it. */
  isNarrow?: boolean;
  /** Whether long texts go on in the next line. */
  isWrapped?: boolean;
  /** Whether its head sorts. */
  isSorted?: boolean;
  /** The label is for those who cannot see that it goes without saying. */
  isLabelHidden?: boolean;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  idOf: (row: T) => string | number;
  sort?: string;
  onSort?: (sort: string) => void;
  /** Whether the rows are those of before, while others are loaded. */
  isOld?: boolean;
  isChosen?: (row: T) => boolean;
  /** Called by Enter on a row. Without it, the first button of the row takes the focus. */
  onOpen?: (row: T) => void;
}

export function Table<T>({ label, columns, rows, idOf, sort = "", onSort, isOld = false, isChosen, onOpen }: Props<T>) {
  const box = useScrollHint<HTMLDivElement>();
  const sortedBy = sort.replace(/^-/, "");
  const isDown = sort.startsWith("-");
  return (
    // What is wider than the window is reached by scrolling, by keys, too.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={box} className={styles.box} role="region" aria-label={label} tabIndex={0} aria-busy={isOld}>
      <table className={isOld ? styles.old : undefined}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.name}
                scope="col"
                className={classOf(column)}
                aria-sort={column.name === sortedBy ? (isDown ? "descending" : "ascending") : undefined}
              >
                {column.isSorted && onSort ? (
                  <button type="button" className={`plain ${styles.sort ?? ""}`} onClick={() => onSort(nextSort(sort, column))}>
                    {column.label}
                    <span aria-hidden>{column.name === sortedBy ? (isDown ? "↓" : "↑") : ""}</span>
                  </button>
                ) : (
                  <span className={column.isLabelHidden ? "hidden-label" : undefined}>{column.label}</span>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            // The row takes the focus by the keys of the view only; what can be done with it are its buttons.
            <tr
              key={idOf(row)}
              className={isChosen?.(row) ? "is-chosen" : undefined}
              tabIndex={-1}
              data-row
              onKeyDown={(event) => {
                if (event.key !== "Enter" || event.target !== event.currentTarget) return;
                event.preventDefault();
                if (onOpen) onOpen(row);
                else event.currentTarget.querySelector<HTMLElement>("button, a")?.focus();
              }}
            >
              {columns.map((column) => (
                <td key={column.name} className={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function classOf(column: Pick<Column<never>, "isNumber" | "isNarrow" | "isWrapped">): string | undefined {
  return [column.isNumber ? "number" : "", column.isNarrow ? (styles.narrow ?? "") : "", column.isWrapped ? (styles.wrapped ?? "") : ""].join(" ").trim() || undefined;
}

/** The order after a click on a head: numbers begin with the largest, texts with the first. */
export function nextSort(sort: string, column: Pick<Column<never>, "name" | "isNumber">): string {
  if (sort === column.name) return `-${column.name}`;
  if (sort === `-${column.name}`) return column.name;
  return column.isNumber ? `-${column.name}` : column.name;
}

/** Rows of equal height, of which only those in sight are drawn. One row is chosen, by key or click. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useId, useImperativeHandle, useLayoutEffect, useMemo, useRef } from "react";
import type { KeyboardEvent, MouseEvent, ReactNode, Ref } from "react";
import { useKeys } from "../frame/keys";
import { keepPlace, placeOf } from "./scrollPlaces";
import type { Answered } from "./scrollPlaces";
import styles from "./VirtualList.module.css";

/** What a view may do with its list. */
export interface ListControl {
  scrollToTop: () => void;
  focus: () => void;
}

interface Props<T> {
  rows: T[];
  /** What tells one row from the others. */
  idOf: (row: T) => string | number;
  /** What the list is, for those who cannot see it. */
  label: string;
  chosen?: string | number | null;
  /** What was chosen, if another row may come to stand for it: the list goes to the row when this changes. */
  follow?: string | number | null | undefined;
  onChoose?: (row: T, index: number) => void;
  /** Called by a click on a row, whose target may be a part of it, and by Enter. */
  onOpen?: (row: T, index: number, event?: MouseEvent) => void;
  children: (row: T, index: number) => ReactNode;
  /** Called when the last rows come in sight. */
  onEnd?: () => void;
  /** Called when the first row comes in sight, or leaves it. */
  onTop?: (isAtTop: boolean) => void;
  /** Called with the width of the rows, when it is known and when it changes. */
  onWidth?: (width: number) => void;
  /** Called with what the pointer is over. */
  onPoint?: (row: T, target: EventTarget) => void;
  /** What stands below the last row. */
  foot?: ReactNode;
  control?: Ref<ListControl>;
  /** Whether j, k, the arrows, g g and G of the page move the choice here. */
  hasKeys?: boolean;
  /** Whether the rows are those of before, and others are awaited. */
  isStale?: boolean;
  /** What the rows answer, or will. Those of another question begin at the top, or where they were left. */
  answers?: Answered | undefined;
}

export function VirtualList<T>(props: Props<T>) {
  const { rows, idOf, label, chosen, follow = chosen, onChoose, onOpen, children, onEnd, onTop, onWidth, onPoint, foot, control, hasKeys = false, isStale = false, answers } = props;
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const listId = useId();
  const rowHeight = useMemo(() => (matchMedia("(pointer: coarse)").matches ? 28 : 24), []);
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => rowHeight, overscan: 12 });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= rows.length - 20) onEnd?.();
  }, [last, onEnd, rows.length]);

  const index = useMemo(() => (chosen === undefined || chosen === null ? -1 : rows.findIndex((row) => idOf(row) === chosen)), [chosen, idOf, rows]);
  const isThere = index >= 0;
  const before = useRef<{ question: string | null; follow: typeof follow; isThere: boolean }>({ question: null, follow: null, isThere: false });
  const { question = null, version = 0 } = answers ?? {};
  useLayoutEffect(() => {
    const was = before.current;
    // While others are awaited, the rows are those of the question before.
    const isOther = !isStale && question !== null && question !== was.question;
    before.current = { question: isOther ? question : was.question, follow, isThere };
    const place = isOther ? placeOf({ question, version }) : null;
    // Rows that come first may have the chosen one among them; those of another question begin at the top, or where they were left.
    if (place !== null || (isOther && was.question !== null)) box.current?.scrollTo({ top: place ?? 0 });
    // A row that comes with the list is shown among its neighbours; by keys, one goes on row by row.
    else if (isThere && (was.follow !== follow || !was.isThere)) virtual.scrollToIndex(index, { align: was.isThere || index === 0 ? "auto" : "center" });
    // Only a change of the choice scrolls, or the row that was chosen before it came.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [follow, isThere, isStale, question]);

  useImperativeHandle(control, () => ({
    scrollToTop: () => box.current?.scrollTo({ top: 0 }),
    focus: () => list.current?.focus({ preventScroll: true }),
  }));

  const isAtTop = useRef<boolean | null>(null);
  const watchTop = useCallback(() => {
    if (question !== null && before.current.question === question && !isStale) keepPlace({ question, version }, box.current?.scrollTop ?? 0);
    const next = (box.current?.scrollTop ?? 0) < rowHeight / 2;
    if (next === isAtTop.current) return;
    isAtTop.current = next;
    onTop?.(next);
  }, [isStale, onTop, question, rowHeight, version]);
  useEffect(watchTop, [watchTop]);
  useEffect(() => {
    const place = box.current;
    if (!place || !onWidth) return;
    const watcher = new ResizeObserver(() => onWidth(place.clientWidth));
    watcher.observe(place);
    return () => watcher.disconnect();
  }, [onWidth]);

  const choose = (next: number) => {
    const at = Math.max(0, Math.min(rows.length - 1, next));
    const row = rows[at];
    if (row === undefined) return;
    list.current?.focus({ preventScroll: true });
    onChoose?.(row, at);
  };
  const open = () => {
    const at = Math.max(index, 0);
    const row = rows[at];
    if (row !== undefined) onOpen?.(row, at);
  };
  const inPage = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / rowHeight) - 1);
  const press = (event: KeyboardEvent) => {
    if (event.target !== list.current || event.metaKey || event.ctrlKey || event.altKey) return;
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + inPage, PageUp: index - inPage, Home: 0, End: rows.length - 1 }[event.key];
    if (next !== undefined) choose(next);
    else if (event.key === "Enter") open();
    else return;
    event.preventDefault();
  };
  return (
    <div ref={box} className={styles.box} onScroll={watchTop} data-stale={isStale || undefined}>
      {hasKeys && <ListKeys canOpen={onOpen !== undefined} onOpen={open} onMove={(by) => choose(index + by)} onTop={() => choose(0)} onBottom={() => choose(rows.length - 1)} />}
      <div
        ref={list}
        role="listbox"
        aria-label={label}
        aria-busy={isStale}
        aria-activedescendant={items.some((item) => item.index === index) ? `${listId}-${index}` : undefined}
        tabIndex={0}
        className={styles.all}
        style={{ height: virtual.getTotalSize() }}
        onKeyDown={press}
      >
        {items.map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          return (
            // The list has the focus and the keys; a click on a row is the same as Enter.
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events
            <div
              key={idOf(row)}
              id={`${listId}-${item.index}`}
              role="option"
              tabIndex={-1}
              aria-selected={item.index === index}
              aria-posinset={item.index + 1}
              aria-setsize={rows.length}
              className={styles.row}
              style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}
              onMouseMove={onPoint ? (event) => onPoint(row, event.target) : undefined}
              onClick={(event) => {
                // Who marks a text to copy it does not open anything.
                if (getSelection()?.isCollapsed === false) return;
                choose(item.index);
                onOpen?.(row, item.index, event);
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

/** The keys of a list that work wherever the focus is. */
interface ListKeysProps {
  canOpen: boolean;
  onOpen: () => void;
  onMove: (by: 1 | -1) => void;
  onTop: () => void;
  onBottom: () => void;
}

function ListKeys({ canOpen, onOpen, onMove, onTop, onBottom }: ListKeysProps) {
  useKeys([
    { keys: "j", name: "Next row", run: () => onMove(1) },
    { keys: "k", name: "Previous row", run: () => onMove(-1) },
    { keys: "ArrowDown", name: "Next row", run: () => onMove(1) },
    { keys: "ArrowUp", name: "Previous row", run: () => onMove(-1) },
    ...(canOpen
      ? [
          { keys: "Enter", name: "Open the row", run: onOpen },
          // What is open has the key; here it is listed, so that one knows it before.
          { keys: "Escape", name: "Close what is open" },
        ]
      : []),
    { keys: "g g", name: "First row", run: onTop },
    { keys: "G", name: "Last row", run: onBottom },
  ]);
  return null;
}

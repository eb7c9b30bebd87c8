/**
 * A value of JSON as a tree: parts open and close, long lists and texts in pieces, any value filters.
 * Arrows move in it; a click, Enter or f filters by a value, x excludes it.
 */
import { useRef, useState } from "react";
import { withoutCodes } from "./text";
import type { FocusEvent, KeyboardEvent } from "react";
import { pathWith } from "../query/parse";
import styles from "./JsonTree.module.css";

export type Leaf = string | number | boolean | null;

interface Props {
  value: unknown;
  /** The path of the value, as filters name it: `meta.user`. With an empty one, the parts of the value are the tree. */
  path: string;
  /** What the tree is of, for those who cannot see it. */
  label?: string;
  /** Called for the value that is to be filtered by, or excluded. */
  onFilter?: (path: string, value: Leaf, isExcluded: boolean) => void;
  /** Whether there is a filter for a value: by default there is. */
  canFilter?: (path: string, value: Leaf) => boolean;
  /** How many levels are open at first. */
  open?: number;
}

/** How many parts of a value are drawn at a time, and how much of a text. */
const PIECE = 100;
const TEXT_PIECE = 2000;
/** The longest text that one filters by. */
const LONGEST_FILTER = 500;

const always = () => true;

export function JsonTree({ value, path, label, onFilter, canFilter = always, open = 2 }: Props) {
  const tree = useRef<HTMLDivElement>(null);
  const items = () => [...(tree.current?.querySelectorAll<HTMLElement>("[role=treeitem]") ?? [])];
  // One item is a stop of the tab key: the last that had the focus.
  const stop = (item: HTMLElement) => {
    for (const other of items()) if (other.tabIndex === 0) other.tabIndex = -1;
    item.tabIndex = 0;
  };
  const press = (event: KeyboardEvent) => {
    const item = event.target;
    if (!(item instanceof HTMLElement) || item.role !== "treeitem" || event.metaKey || event.ctrlKey || event.altKey) return;
    const all = items();
    const at = all.indexOf(item);
    const isOpen = item.ariaExpanded === "true";
    const toggle = () => item.querySelector<HTMLElement>(":scope > [data-toggle]")?.click();
    const parent = item.parentElement?.closest<HTMLElement>("[role=treeitem]");
    switch (event.key) {
      case "ArrowDown":
        all[at + 1]?.focus();
        break;
      case "ArrowUp":
        all[at - 1]?.focus();
        break;
      case "Home":
        all[0]?.focus();
        break;
      case "End":
        all.at(-1)?.focus();
        break;
      case "ArrowRight":
        if (item.ariaExpanded === null) return;
        if (isOpen) all[at + 1]?.focus();
        else toggle();
        break;
      case "ArrowLeft":
        if (isOpen) toggle();
        else parent?.focus();
        break;
      case "Enter":
      case " ":
      case "f":
      case "x": {
        if (item.ariaExpanded !== null && event.key !== "f" && event.key !== "x") {
          toggle();
          break;
        }
        const button = item.querySelector<HTMLElement>(event.key === "x" ? ':scope > span > [data-key="x"]' : ':scope > [data-key="f"]');
        if (!button) return;
        button.click();
        break;
      }
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // One of its items has the focus, never the tree itself.
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus
    <div
      ref={tree}
      role="tree"
      aria-label={label ?? path}
      className={styles.tree}
      onKeyDown={press}
      onFocus={(event: FocusEvent<HTMLElement>) => {
        if (event.target.role === "treeitem") stop(event.target);
      }}
    >
      {path === "" && value !== null && typeof value === "object" ? (
        Object.entries(value as Record<string, unknown>).map(([key, part], index) => (
          <Node key={key} name={key} isFirst={index === 0} value={part} path={pathWith("", key)} onFilter={onFilter} canFilter={canFilter} open={open - 1} />
        ))
      ) : (
        <Node name={null} isFirst value={value} path={path} onFilter={onFilter} canFilter={canFilter} open={open} />
      )}
    </div>
  );
}

interface NodeProps {
  name: string | null;
  /** Whether the tab key comes here first. */
  isFirst?: boolean;
  value: unknown;
  path: string;
  onFilter: Props["onFilter"] | undefined;
  canFilter: (path: string, value: Leaf) => boolean;
  open: number;
}

function Node({ name, isFirst = false, value, path, onFilter, canFilter, open }: NodeProps) {
  const [isOpen, setOpen] = useState(open > 0);
  const [shown, setShown] = useState(PIECE);
  const label = name === null ? null : <bdi className={styles.name}>{name.length > 200 ? `${name.slice(0, 200)}…` : name}</bdi>;
  const tabIndex = isFirst ? 0 : -1;
  if (value === null || typeof value !== "object") {
    const leaf = value as Leaf;
    const isFilter = onFilter !== undefined && (typeof leaf !== "string" || leaf.length <= LONGEST_FILTER) && canFilter(path, leaf);
    const place = withoutCodes(path.slice(0, 200));
    return (
      // The keys are those of the tree.
      <div role="treeitem" className={styles.item} aria-selected={false} tabIndex={tabIndex}>
        {label}
        {isFilter ? (
          <>
            {/* No element of its own kind: the text of a button cannot be marked. Its keys are those of the tree. */}
            {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events */}
            <span
              role="button"
              tabIndex={-1}
              data-key="f"
              className={styles.value}
              title={`Only ${place} of this value (f)`}
              onClick={() => {
                // Who marks a text to copy it does not filter.
                if (getSelection()?.isCollapsed !== false) onFilter(path, leaf, false);
              }}
            >
              <LeafValue value={leaf} />
            </span>
            <span className={styles.actions}>
              <button type="button" tabIndex={-1} data-key="x" className="plain" title={`All but ${place} of this value (x)`} onClick={() => onFilter(path, leaf, true)}>
                not
              </button>
            </span>
          </>
        ) : (
          <LeafValue value={leaf} />
        )}
      </div>
    );
  }
  const isList = Array.isArray(value);
  const keys = isList ? null : Object.keys(value);
  const length = keys?.length ?? (value as unknown[]).length;
  const drawn = isOpen ? Math.min(shown, length) : 0;
  return (
    <div role="treeitem" className={styles.item} aria-selected={false} aria-expanded={isOpen} tabIndex={tabIndex}>
      <button type="button" tabIndex={-1} data-toggle className={`plain ${styles.toggle ?? ""}`} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden>{isOpen ? "▾" : "▸"}</span>
        {label}
        <span className="quiet">{isList ? `[${length}]` : `{${length}}`}</span>
      </button>
      {drawn > 0 && (
        <div role="group" className={styles.group}>
          {Array.from({ length: drawn }, (_, index) => {
            const key = keys ? (keys[index] ?? "") : String(index);
            const part = (value as Record<string, unknown>)[key];
            return <Node key={key} name={key} value={part} path={pathWith(path, key)} onFilter={onFilter} canFilter={canFilter} open={length > PIECE ? 0 : open - 1} />;
          })}
          {drawn < length && (
            <div role="none">
              <button type="button" className="plain" onClick={() => setShown(shown + 5 * PIECE)}>
                {length - drawn} more …
              </button>
            </div>
          )}
        </div>
      )}
    </div>
  );
}

function LeafValue({ value }: { value: Leaf }) {
  const [shown, setShown] = useState(TEXT_PIECE);
  const text = typeof value === "string" ? value : String(value);
  return (
    <>
      <bdi className={styles[typeof value] ?? styles.other}>{text.slice(0, shown)}</bdi>
      {shown < text.length && (
        <button type="button" className="plain" onClick={() => setShown(shown * 10)}>
          {text.length - shown} more characters …
        </button>
      )}
    </>
  );
}

/** A value of JSON as a tree: parts open and close, long lists and texts in pieces, any value filters. */
import { useState } from "react";
import styles from "./JsonTree.module.css";

interface Props {
  value: unknown;
  /** The path of the value, as filters name it: `meta.user`. */
  path: string;
  /** Called for the value that is to be filtered by, or excluded. */
  onFilter?: (path: string, value: string | number | boolean | null, isExcluded: boolean) => void;
  /** How many levels are open at first. */
  open?: number;
}

/** How many parts of a value are drawn at a time, and how much of a text. */
const PIECE = 100;
const TEXT_PIECE = 2000;

export function JsonTree({ value, path, onFilter, open = 2 }: Props) {
  return (
    <ul className={styles.tree}>
      <Node name={null} value={value} path={path} onFilter={onFilter} open={open} />
    </ul>
  );
}

function Node({ name, value, path, onFilter, open = 0 }: Omit<Props, "onFilter"> & { name: string | null; onFilter: Props["onFilter"] | undefined }) {
  const [isOpen, setOpen] = useState(open > 0);
  const [shown, setShown] = useState(PIECE);
  const label = name === null ? null : <span className={styles.name}>{name}</span>;
  if (value === null || typeof value !== "object") {
    return (
      <li>
        {label}
        <Leaf value={value as Leaf} />
        {onFilter && (
          <span className={styles.actions}>
            <button type="button" className="plain" title={`Only ${path} of this value`} onClick={() => onFilter(path, value as Leaf, false)}>
              only
            </button>
            <button type="button" className="plain" title={`All but ${path} of this value`} onClick={() => onFilter(path, value as Leaf, true)}>
              not
            </button>
          </span>
        )}
      </li>
    );
  }
  const isList = Array.isArray(value);
  const keys = isList ? null : Object.keys(value);
  const length = keys?.length ?? (value as unknown[]).length;
  const drawn = isOpen ? Math.min(shown, length) : 0;
  return (
    <li>
      <button type="button" className={`plain ${styles.toggle ?? ""}`} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden>{isOpen ? "▾" : "▸"}</span>
        {label}
        <span className="quiet">{isList ? `[${length}]` : `{${length}}`}</span>
      </button>
      {drawn > 0 && (
        <ul>
          {Array.from({ length: drawn }, (_, index) => {
            const key = keys ? (keys[index] ?? "") : String(index);
            const part = (value as Record<string, unknown>)[key];
            return <Node key={key} name={key} value={part} path={`${path}.${key}`} onFilter={onFilter} open={open - 1} />;
          })}
          {drawn < length && (
            <li>
              <button type="button" className="plain" onClick={() => setShown(shown + 10 * PIECE)}>
                {length - drawn} more …
              </button>
            </li>
          )}
        </ul>
      )}
    </li>
  );
}

type Leaf = string | number | boolean | null;

function Leaf({ value }: { value: Leaf }) {
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

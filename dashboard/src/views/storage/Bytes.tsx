/** The size of a table as a bar, in shades of grey: its records, its indexes, what searches need. */
import { bytes } from "../../time/format";
import type { StoredTable } from "../../api/storage";
import styles from "./Storage.module.css";

const PARTS: [part: "table" | "indexes" | "search", name: string][] = [
  ["table", "records"],
  ["indexes", "indexes"],
  ["search", "search summaries (which words are where)"],
];

export function Bytes({ bytes: sizes, most }: { bytes: StoredTable["bytes"]; most: number }) {
  const said = PARTS.map(([part, name]) => `${name} ${bytes(sizes[part])}`).join(", ");
  return (
    <span className={styles.bar} role="img" aria-label={said} title={said}>
      {PARTS.map(([part]) => (
        <span key={part} className={styles[part]} style={{ width: `${(100 * sizes[part]) / most}%` }} />
      ))}
    </span>
  );
}

/** One size beside others. */
export function Size({ value, most }: { value: number; most: number }) {
  return (
    <span className={styles.bar} role="img" aria-label={bytes(value)} title={bytes(value)}>
      <span className={styles.table} style={{ width: `${(100 * value) / most}%` }} />
    </span>
  );
}

export function Legend() {
  return (
    <p className={`quiet small padded ${styles.legend ?? ""}`}>
      {PARTS.map(([part, name]) => (
        <span key={part}>
          <span aria-hidden className={`${styles.key ?? ""} ${styles[part] ?? ""}`} /> {name}
        </span>
      ))}
    </p>
  );
}

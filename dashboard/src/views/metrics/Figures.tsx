/** Numbers of a period, each with its change from the one before. */
import type { ReactNode } from "react";
import type { Change as ChangeOf } from "./change";
import styles from "./Metrics.module.css";

/** A change: what is large stands out by its weight, and its direction is a sign. */
export function Change({ change }: { change: ChangeOf | null }) {
  if (change === null) return null;
  const sign = change.direction > 0 ? "▲" : change.direction < 0 ? "▼" : "";
  return (
    <span className={change.isLarge ? styles.large : styles.small}>
      {sign && <span aria-hidden>{sign} </span>}
      {change.text}
    </span>
  );
}

interface FigureProps {
  name: string;
  value: string;
  /** What it counts. */
  title?: string;
  change: ChangeOf | null;
  /** What it was before, in words. */
  before?: string;
  children?: ReactNode;
}

export function Figure({ name, value, title, change, before, children }: FigureProps) {
  return (
    <div className={styles.figure} title={title}>
      <dt className="quiet small">{name}</dt>
      <dd>
        <span className={styles.value}>{value}</span> <Change change={change} />
        {before !== undefined && <span className="quiet small"> before {before}</span>}
        {children}
      </dd>
    </div>
  );
}

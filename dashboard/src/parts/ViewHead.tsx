/** The head of a view that has no range: its name, and its tools. */
import type { ReactNode } from "react";
import styles from "./ViewHead.module.css";

export function ViewHead({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.head}>
      <h1>{title}</h1>
      <div className={styles.tools}>{children}</div>
    </div>
  );
}

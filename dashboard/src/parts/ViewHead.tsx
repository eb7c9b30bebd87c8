/** The head of a view that has no range, or of a part of one: its name, and its tools. */
import type { ReactNode } from "react";
import styles from "./ViewHead.module.css";

export function ViewHead({ title, level = 1, children }: { title: string; level?: 1 | 2; children?: ReactNode }) {
  const Heading = level === 1 ? "h1" : "h2";
  return (
    <div className={styles.head}>
      <Heading>{title}</Heading>
      <div className={styles.tools}>{children}</div>
    </div>
  );
}

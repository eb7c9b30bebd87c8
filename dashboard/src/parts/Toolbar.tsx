/** The tools above a list: how it is shown on one side, what can be done with all of it on the other. */
import type { ReactNode } from "react";
import styles from "./Toolbar.module.css";

interface Props {
  label: string;
  /** What the last key or button did. */
  said: string;
  children: ReactNode;
  /** What can be done with all that is shown. */
  actions: ReactNode;
}

export function Toolbar({ label, said, children, actions }: Props) {
  return (
    <div className={styles.bar} role="toolbar" aria-label={label}>
      {children}
      <span role="status" className={styles.said}>
        {said}
      </span>
      {actions}
    </div>
  );
}

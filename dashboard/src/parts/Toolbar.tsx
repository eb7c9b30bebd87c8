/** The tools above a list: how it is shown on one side, what can be done with all of it on the other. */
import type { ReactNode } from "react";
import { Folded } from "./Folded";
import styles from "./Toolbar.module.css";
import { useIsNarrow } from "./useIsNarrow";

interface Props {
  label: string;
  /** What the last key or button did. */
  said: string;
  children: ReactNode;
  /** Further tools, which stand behind a button where there is no room. */
  more?: ReactNode;
  /** What can be done with all that is shown. */
  actions: ReactNode;
}

export function Toolbar({ label, said, children, more, actions }: Props) {
  const isNarrow = useIsNarrow();
  return (
    <div className={styles.bar} role="toolbar" aria-label={label}>
      {children}
      {!isNarrow && more}
      <span role="status" className={styles.said}>
        {said}
      </span>
      {isNarrow ? (
        <Folded>
          {more}
          {actions}
        </Folded>
      ) : (
        actions
      )}
    </div>
  );
}

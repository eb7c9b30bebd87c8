/** Tools that are used less often: beside the others, or behind a button where there is no room for them. */
import { useId, useState } from "react";
import type { ReactNode } from "react";
import styles from "./Folded.module.css";
import { useIsNarrow } from "./useIsNarrow";

export function Folded({ children, name = "More tools" }: { children: ReactNode; name?: string }) {
  const isNarrow = useIsNarrow();
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  if (!isNarrow) return children;
  return (
    <>
      <button type="button" className={styles.button} aria-expanded={isOpen} aria-controls={id} aria-label={name} title={name} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden>⋯</span>
      </button>
      <div id={id} className={styles.tools} hidden={!isOpen}>
        {children}
      </div>
    </>
  );
}

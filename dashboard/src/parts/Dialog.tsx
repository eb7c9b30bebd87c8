/** A dialog in front of the page: the browser keeps the focus in it, and Escape closes it. */
import { useLayoutEffect, useRef } from "react";
import type { ReactNode } from "react";
import styles from "./Dialog.module.css";

interface Props {
  title: string;
  onClose: () => void;
  /** A `form` shows its title and a button to close it, and a click beside it loses nothing. */
  kind?: "plain" | "form";
  children: ReactNode;
}

export function Dialog({ title, onClose, kind = "plain", children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const pressed = useRef<EventTarget | null>(null);
  // It is closed before it is taken out of the page: only then the focus goes back to where it was.
  useLayoutEffect(() => {
    const shown = dialog.current;
    if (shown && !shown.open) {
      shown.showModal();
      // Not the button that closes it, which comes first.
      (shown.querySelector<HTMLElement>("[data-autofocus]") ?? shown.querySelector<HTMLElement>("input, select, textarea"))?.focus();
    }
    return () => shown?.close();
  }, []);
  return (
    // The click on the ground behind closes it, too; Escape is the same for the keyboard.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <dialog
      ref={dialog}
      aria-label={title}
      className={kind === "form" ? styles.form : undefined}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClose={(event) => {
        // A second Escape closes it although `cancel` was prevented. If it is to stay, it is shown again.
        if (event.target !== dialog.current || dialog.current.open) return;
        onClose();
        setTimeout(() => {
          if (dialog.current && !dialog.current.open) dialog.current.showModal();
        }, 50);
      }}
      onMouseDown={(event) => {
        pressed.current = event.target;
      }}
      onClick={(event) => {
        // A text that is marked beyond the edge ends in a click on the ground: that is not meant.
        if (kind === "plain" && event.target === dialog.current && pressed.current === dialog.current) onClose();
      }}
    >
      {kind === "form" && (
        <header className={styles.head}>
          <h2>{title}</h2>
          <button type="button" className="plain" aria-label="Close" title="Close (Esc)" onClick={onClose}>
            ✕
          </button>
        </header>
      )}
      {children}
    </dialog>
  );
}

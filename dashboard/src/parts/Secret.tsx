/** A secret that is shown this once: a key, or a password for one time. */
import { useRef } from "react";
import type { ReactNode } from "react";
import { Dialog } from "./Dialog";
import { Copy } from "./Show";
import styles from "./Secret.module.css";

interface Props {
  title: string;
  /** What the secret is: `Key`. */
  name: string;
  secret: string;
  onClose: () => void;
  children?: ReactNode;
}

export function Secret({ title, name, secret, onClose, children }: Props) {
  const done = useRef<HTMLButtonElement>(null);
  const isAsked = useRef(false);
  /** Escape is pressed by accident, and what is closed does not come back: the first one only points at the button. */
  const close = () => {
    if (isAsked.current) onClose();
    isAsked.current = true;
    done.current?.focus();
  };
  return (
    <Dialog title={title} kind="form" onClose={close}>
      <div className={styles.secret}>
        <SecretText name={name} secret={secret} />
        <p className="quiet small">It is shown this once. Copy it now.</p>
        {children}
        <button ref={done} type="button" className="primary" onClick={onClose}>
          I have it
        </button>
      </div>
    </Dialog>
  );
}

export function SecretText({ name, secret }: { name: string; secret: string }) {
  return (
    <p className={styles.line}>
      <span className="hidden-label">{name}:</span>
      <code className={styles.text}>{secret}</code>
      <Copy text={secret} />
    </p>
  );
}

/** A piece of code or a command, with a button that copies it. */
import { Copy } from "./Show";
import styles from "./Snippet.module.css";

export function Snippet({ label, text }: { label: string; text: string }) {
  return (
    <div className={styles.snippet}>
      {/* Long lines are reached by scrolling, by keys, too. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre role="region" tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Copy text={text} />
    </div>
  );
}

/** A part of the overview: a title with what belongs to it, and its own loading, failure and emptiness. */
import type { ReactNode } from "react";
import { ApiError } from "../../api/client";
import { Loading } from "../../parts/State";
import styles from "./Overview.module.css";

interface Props {
  title: string;
  /** What stands beside the title. */
  beside?: ReactNode;
  /** A line below the title. */
  note?: ReactNode;
  /** The height of its content, about: that much room is kept until it is there, so that nothing moves when it comes. */
  room?: string;
  isPending?: boolean;
  /** Whether what is shown is of before, and the new one is on its way. */
  isOld?: boolean;
  error?: Error | null;
  onRetry?: () => void;
  /** What stands instead of the content, if there is none. */
  empty?: ReactNode;
  children: ReactNode;
}

export function Panel({ title, beside, note, room = "0px", isPending = false, isOld = false, error = null, onRetry, empty = null, children }: Props) {
  return (
    <section className={styles.panel} aria-label={title} aria-busy={isPending || isOld} style={isPending ? { minHeight: `calc(28px + ${room})` } : undefined}>
      <header>
        <h2>{title}</h2>
        {beside}
      </header>
      {note}
      {error !== null ? (
        <p role="alert" className="small">
          Could not be loaded: {error instanceof ApiError ? error.detail : String(error)}{" "}
          {onRetry && (
            <button type="button" onClick={onRetry}>
              Try again
            </button>
          )}
        </p>
      ) : isPending ? (
        <Loading what={title.toLowerCase()} />
      ) : (
        <div className={isOld ? styles.isOld : undefined}>{empty ?? children}</div>
      )}
    </section>
  );
}

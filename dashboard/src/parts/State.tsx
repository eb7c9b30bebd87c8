/** What a view shows while it has nothing to show: loading, failed, empty. */
import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import styles from "./State.module.css";

/** A bar after 300 ms, and what it waits for after 3 s, with a way to cancel. */
export function Loading({ what, onCancel }: { what: string; onCancel?: () => void }) {
  const [stage, setStage] = useState<"none" | "bar" | "words">("none");
  useEffect(() => {
    const timers = [setTimeout(() => setStage("bar"), 300), setTimeout(() => setStage("words"), 3000)];
    return () => timers.forEach(clearTimeout);
  }, []);
  if (stage === "none") return null;
  return (
    <div role="status" className={styles.loading}>
      <div className={styles.bar} />
      <span className={stage === "bar" ? "hidden-label" : "quiet small"}>Waiting for {what} …</span>
      {stage === "words" && onCancel && (
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
      )}
    </div>
  );
}

/** What happened, whether anything was lost, and what to do. */
export function Failure({ error, what, verb = "loaded", onRetry }: { error: unknown; what: string; verb?: string; onRetry?: () => void }) {
  const api = error instanceof ApiError ? error : null;
  return (
    <div role="alert" className={styles.failure}>
      <strong>{what} could not be {verb}.</strong>
      <span>{api?.detail ?? String(error)}</span>
      {api?.fields.map((field) => (
        <span key={field.field}>
          <code>{field.field}</code> {field.problem}
        </span>
      ))}
      <span className="quiet">{api?.kind === "invalid-query" ? "Change the search or the range." : "Nothing was lost."}</span>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What would be here, and how to get it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <strong>{title}</strong>
      {children}
    </div>
  );
}

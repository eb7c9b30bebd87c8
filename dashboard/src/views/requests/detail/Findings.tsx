/** What went wrong in a request that failed, before all else that is known of it. */
import type { RequestSnapshot } from "../../../api/client";
import type { TraceQuery } from "../../../api/trace";
import { inFull } from "../../../time/format";
import { EntryLine, useOpenEntry } from "./EntryLine";
import { findings, hasFailed } from "./failures";
import styles from "./Detail.module.css";

interface Props {
  record: RequestSnapshot;
  trace: TraceQuery;
  onOpen: (id: number) => void;
  /** Leads to all of the trace. */
  onAll: () => void;
}

/** Two lines always have their room, so that nothing below moves when they are there. */
const SHOWN = 2;

export function Findings({ record, trace, onOpen, onAll }: Props) {
  const open = useOpenEntry(onOpen);
  if (record.trace_id === null || !hasFailed(record)) return null;
  const found = trace.data ? findings(trace.data, record.id) : [];
  return (
    <section className={styles.findings} aria-label="What failed">
      <h3 className={styles.title}>
        What failed
        {found.length > SHOWN && (
          <button type="button" className="plain small" onClick={onAll}>
            {found.length - SHOWN} more
          </button>
        )}
      </h3>
      <ul>
        {found.slice(0, SHOWN).map((entry) => (
          <li key={`${entry.kind} ${entry.record.id}`}>
            <button type="button" className="plain" title={inFull(entry.time)} onClick={() => open(entry)}>
              <span>
                <EntryLine entry={entry} />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {trace.data && found.length === 0 && <p className="quiet">No call failed, and no error was logged.</p>}
    </section>
  );
}

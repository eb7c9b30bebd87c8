/** The request, the calls it made, and its log lines on one line of time. */
import { useMemo, useState } from "react";
import type { RequestSnapshot } from "../../../api/client";
import type { TraceQuery } from "../../../api/trace";
import { Empty, Failure, Loading } from "../../../parts/State";
import { duration, inFull } from "../../../time/format";
import { EntryLine, useOpenEntry } from "./EntryLine";
import { layOut } from "./timeline";
import type { TimelineRow } from "./timeline";
import styles from "./Trace.module.css";

interface Props {
  record: RequestSnapshot;
  trace: TraceQuery;
  /** All of the trace, or its requests and calls alone. */
  show: "all" | "calls";
  onOpen: (id: number) => void;
}

const PIECE = 200;

export function TraceTab({ record, trace, show, onOpen }: Props) {
  const [shown, setShown] = useState(PIECE);
  const line = useMemo(() => (trace.data && trace.data.entries.length > 0 ? layOut(trace.data) : null), [trace.data]);
  if (record.trace_id === null)
    return (
      <Empty title="This request has no trace id.">
        <span className="quiet">So what was logged and called meanwhile is not known. Capture adds one to each request; imported ones have it if their program did.</span>
      </Empty>
    );
  if (trace.error) return <Failure error={trace.error} what="The trace" onRetry={trace.retry} />;
  if (!trace.data) return <Loading what="the trace" />;
  if (!line) return <Empty title="Nothing of this trace is stored any more." />;
  const rows = show === "all" ? line.rows : line.rows.filter((row) => row.entry.kind !== "log");
  const missing = show === "calls" && line.calls === 0 ? "It called nothing that was captured. Calls are captured by the client layer of capture." : show === "all" && line.logs === 0 ? "It logged nothing that was captured." : null;
  return (
    <section className={styles.trace} aria-label="Time line of the trace">
      <div className={styles.axis} aria-hidden>
        <span>0</span>
        <span>{duration(line.ms / 2)}</span>
        <span>{duration(line.ms)}</span>
      </div>
      <ol>
        {rows.slice(0, shown).map((row) => (
          <li key={`${row.entry.kind} ${row.entry.record.id}`}>
            <Row row={row} isCurrent={row.entry.kind !== "log" && row.entry.record.id === record.id} onOpen={onOpen} />
          </li>
        ))}
      </ol>
      {shown < rows.length && (
        <button type="button" className="plain" onClick={() => setShown(shown + 5 * PIECE)}>
          {rows.length - shown} more …
        </button>
      )}
      {missing !== null && <p className="quiet">{missing}</p>}
      {!trace.data.isComplete && <p className="quiet">The trace has more than {trace.data.limit} records; these are the first.</p>}
    </section>
  );
}

/** `+12.3 ms`. */
function since(ms: number): string {
  return ms < 10 ? `+${ms.toFixed(1)} ms` : `+${duration(ms)}`;
}

function Row({ row, isCurrent, onOpen }: { row: TimelineRow; isCurrent: boolean; onOpen: (id: number) => void }) {
  const open = useOpenEntry(onOpen);
  const { entry } = row;
  return (
    <button type="button" className={`plain ${styles.row ?? ""}`} aria-current={isCurrent || undefined} title={inFull(entry.time)} onClick={() => open(entry)} disabled={isCurrent}>
      <span className={styles.offset}>{since(row.offset)}</span>
      <span className={styles.track} aria-hidden>
        {entry.kind === "log" ? (
          <span className={`${styles.tick ?? ""} level-${entry.record.level}`} style={{ insetInlineStart: `${row.start * 100}%` }} />
        ) : (
          <span className={`${styles.bar ?? ""} class-${entry.record.status_code === null ? "none" : Math.floor(entry.record.status_code / 100)}`} style={{ insetInlineStart: `${row.start * 100}%`, width: `${row.length * 100}%` }} />
        )}
      </span>
      <span className={styles.label} style={{ paddingInlineStart: row.depth * 12 }}>
        {row.depth > 0 && <span className="quiet">└ </span>}
        <EntryLine entry={entry} />
      </span>
    </button>
  );
}

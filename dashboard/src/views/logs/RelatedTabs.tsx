/** Lines that belong to the one that is open: of its trace, similar ones, those around it. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { ReactNode } from "react";
import { list, read } from "../../api/client";
import type { Log, LogHit } from "../../api/client";
import { SETTLED_MS } from "../../api/trace";
import type { Trace, TraceQuery } from "../../api/trace";
import { useParam, useSetParams } from "../../frame/address";
import { useSettled } from "../../parts/useSettled";
import { Empty, Failure, Loading } from "../../parts/State";
import { count } from "../../time/format";
import { LineList } from "./LineList";
import { bySimilarity, lineOf } from "./lines";
import styles from "./LogDetail.module.css";

/** Folding copies takes the longer the more rows are asked for. */
const SIMILAR = 20;
const AROUND = 20;

/** The log lines of a trace. */
export function linesOf(trace: Trace): Log[] {
  return trace.entries.flatMap((entry) => (entry.kind === "log" ? [entry.record] : []));
}

export function TraceTab({ log, trace }: { log: Log; trace: TraceQuery }) {
  const { data } = trace;
  const lines = useMemo(() => (data ? linesOf(data) : []), [data]);
  if (trace.error) return <Failure error={trace.error} what="The trace" onRetry={trace.retry} />;
  if (!data) return <Loading what="the trace" />;
  return <Related log={log} logs={lines} label="Lines of the same trace" note={data.isComplete ? "Oldest first." : `The first ${count(data.limit)} records of the trace, oldest first.`} />;
}

export function SimilarTab({ log }: { log: Log }) {
  const id = useSettled(log.id, SETTLED_MS);
  const answer = useQuery({
    queryKey: ["logs", "similar", id],
    queryFn: async ({ signal }) => (await list<LogHit>(`/logs/${id}/similar`, { fold: true, limit: SIMILAR, total: "none" }, signal)).data,
    staleTime: 60_000,
    gcTime: 60_000,
    structuralSharing: false,
  });
  if (answer.error) return <Failure error={answer.error} what="Similar lines" onRetry={() => void answer.refetch()} />;
  if (!answer.data) return <Loading what="similar lines" />;
  return <Similar key={log.id} log={log} hits={answer.data} />;
}

/** Lines that are similar; those that are less so, such as the nearest of a line that has no like, are asked for. */
function Similar({ log, hits }: { log: Log; hits: LogHit[] }) {
  const [less, setLess] = useParam("less");
  const { similar, less: others } = bySimilarity(hits);
  const isAll = less === "1";
  const foot = others.length > 0 && !isAll && (
    <p className={styles.note}>
      {similar.length === 0 ? "No line is similar. Less similar lines are left out." : "Less similar lines are left out."}{" "}
      <button type="button" onClick={() => setLess("1", { replace: true })}>
        Show them
      </button>
    </p>
  );
  if (similar.length === 0 && foot) return foot;
  return <Related log={log} logs={isAll ? hits : similar} label="Similar lines" note="The most similar first, whenever they were; copies are one row." foot={foot} />;
}

export function AroundTab({ log }: { log: Log }) {
  const id = useSettled(log.id, SETTLED_MS);
  const answer = useQuery({
    queryKey: ["logs", "around", id],
    queryFn: ({ signal }) => read<{ before: Log[]; record: Log; after: Log[] }>(`/logs/${id}/context`, { lines: AROUND }, signal),
    staleTime: 60_000,
    gcTime: 60_000,
    structuralSharing: false,
  });
  const logs = useMemo(() => (answer.data ? [...answer.data.before, answer.data.record, ...answer.data.after] : []), [answer.data]);
  if (answer.error) return <Failure error={answer.error} what="The lines around it" onRetry={() => void answer.refetch()} />;
  if (!answer.data) return <Loading what="the lines around it" />;
  return <Related log={log} logs={logs} label="Lines around it" note="Of all sources, oldest first." />;
}

function Related({ log, logs, label, note, foot }: { log: Log; logs: (Log | LogHit)[]; label: string; note: ReactNode; foot?: ReactNode }) {
  const setParams = useSetParams();
  const lines = useMemo(() => logs.map((one) => ({ ...lineOf(one), copies: "hit" in one ? (one.hit.copies?.count ?? 1) : 1, copiesAreExact: "hit" in one ? (one.hit.copies?.count_is_exact ?? true) : true, similarity: "hit" in one ? (one.hit.why.similarity ?? null) : null })), [logs]);
  const hasDays = useMemo(() => new Set([...logs.map((one) => one.created_at), new Date().toISOString()].map((at) => new Date(at).toDateString())).size > 1, [logs]);
  if (lines.length === 0) return <Empty title="There are none." />;
  return (
    <div className={styles.related}>
      <p className={styles.note}>{note}</p>
      <div className={styles.rows}>
        <LineList label={label} lines={lines} chosenId={log.id} onChoose={() => undefined} onOpen={(line) => setParams({ open: String(line.id), tab: "", less: "" })} hasDays={hasDays} foot={foot} />
      </div>
    </div>
  );
}

/** One line in full: its message, its fields, and the lines that belong to it. */
import { CopyLink } from "../../parts/CopyLink";
import { useQuery } from "@tanstack/react-query";
import { ApiError, read } from "../../api/client";
import type { Log } from "../../api/client";
import { useTrace } from "../../api/trace";
import { useIsAdmin } from "../../api/session";
import { useParam } from "../../frame/address";
import { Copy } from "../../parts/Show";
import { Empty, Failure, Loading } from "../../parts/State";
import { Tabs } from "../../parts/Tabs";
import { LineTab } from "./LineTab";
import { AroundTab, linesOf, SimilarTab, TraceTab } from "./RelatedTabs";
import styles from "./LogDetail.module.css";

type Tab = "line" | "trace" | "similar" | "around";

/** A line that the list does not have: one that was shared, or is older than what is loaded. */
export function useLog(id: number | null, known: Log | null) {
  const isAdmin = useIsAdmin();
  const answer = useQuery({
    queryKey: ["logs", "one", id],
    queryFn: ({ signal }) => read<Log>(`/logs/${id ?? 0}`, isAdmin ? { deleted: "with" } : {}, signal),
    enabled: id !== null && known === null,
    staleTime: Infinity,
    gcTime: 60_000,
  });
  return { log: known ?? answer.data ?? null, error: answer.error, retry: answer.refetch };
}

interface Props {
  log: Log;
  marks: RegExp | null;
  isDeleted: boolean;
  onDeleted: (id: number, isDeleted: boolean) => void;
}

export function LogDetail({ log, marks, isDeleted, onDeleted }: Props) {
  const [text, setTab] = useParam("tab");
  const trace = useTrace(log.trace_id);
  const tab: Tab = text === "similar" || text === "around" || (text === "trace" && log.trace_id !== null) ? text : "line";
  const tabs: { id: Tab; name: string }[] = [
    { id: "line", name: "Line" },
    ...(log.trace_id === null ? [] : [{ id: "trace" as const, name: `Same trace${trace.data ? ` (${linesOf(trace.data).length}${trace.data.isComplete ? "" : "+"})` : ""}` }]),
    { id: "similar", name: "Similar lines" },
    { id: "around", name: "Around it (±20)" },
  ];
  return (
    <div className={styles.detail}>
      <Tabs label="About the line" tabs={tabs} chosen={tab} onChoose={(next) => setTab(next === "line" ? "" : next, { replace: true })} className={styles.panel}>
        {tab === "line" && <LineTab log={log} marks={marks} requests={trace.data?.entries.flatMap((entry) => (entry.kind === "request" ? [entry.record] : [])) ?? []} isDeleted={isDeleted} onDeleted={onDeleted} />}
        {tab === "trace" && <TraceTab log={log} trace={trace} />}
        {tab === "similar" && <SimilarTab log={log} />}
        {tab === "around" && <AroundTab log={log} />}
      </Tabs>
    </div>
  );
}

/** What stands beside the title of the detail. */
export function DetailActions({ log }: { log: Log }) {
  return (
    <>
      <Copy text={log.message}>Copy message</Copy>
      <Copy text={() => JSON.stringify(log, null, 2)}>Copy as JSON</Copy>
      <CopyLink of="line" />
    </>
  );
}

/** What is shown of a line that is not there yet. */
export function DetailState({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  if (error instanceof ApiError && error.status === 404) return <Empty title="This line is not there any more. It may be past its retention." />;
  return error ? <Failure error={error} what="The line" onRetry={onRetry} /> : <Loading what="the line" />;
}

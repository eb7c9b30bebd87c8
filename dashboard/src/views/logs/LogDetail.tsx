/** One line in full: its message, its fields, and the lines that belong to it. */
import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import type { KeyboardEvent, ReactNode } from "react";
import { ApiError, read } from "../../api/client";
import type { Log } from "../../api/client";
import { useIsAdmin } from "../../api/session";
import { useParam } from "../../frame/address";
import { Copy } from "../../parts/Show";
import { Empty, Failure, Loading } from "../../parts/State";
import { LineTab } from "./LineTab";
import { AroundTab, SimilarTab, TraceTab } from "./RelatedTabs";
import { useTrace } from "./useTrace";
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
  const tabs: [Tab, string][] = [
    ["line", "Line"],
    ...(log.trace_id === null ? [] : [["trace", `Same trace${trace.lines ? ` (${trace.lines.length}${trace.isComplete ? "" : "+"})` : ""}`] as [Tab, string]]),
    ["similar", "Similar lines"],
    ["around", "Around it (±20)"],
  ];
  return (
    <div className={styles.detail}>
      <Tabs tabs={tabs} tab={tab} onTab={(next) => setTab(next === "line" ? "" : next, { replace: true })}>
        {tab === "line" && <LineTab log={log} marks={marks} requests={trace.requests} isDeleted={isDeleted} onDeleted={onDeleted} />}
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
      <Copy text={() => JSON.stringify(log, null, 2)}>Copy JSON</Copy>
      <Copy text={() => location.href}>Share</Copy>
    </>
  );
}

/** What is shown of a line that is not there yet. */
export function DetailState({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  if (error instanceof ApiError && error.status === 404) return <Empty title="This line is not there any more. It may be past its retention." />;
  return error ? <Failure error={error} what="The line" onRetry={onRetry} /> : <Loading what="the line" />;
}

function Tabs({ tabs, tab, onTab, children }: { tabs: [Tab, string][]; tab: Tab; onTab: (tab: Tab) => void; children: ReactNode }) {
  const bar = useRef<HTMLDivElement>(null);
  const press = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const at = tabs.findIndex(([one]) => one === tab);
    const next = (at + by + tabs.length) % tabs.length;
    const found = tabs[next];
    if (found) onTab(found[0]);
    bar.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <>
      <div ref={bar} role="tablist" aria-label="About the line" tabIndex={-1} className={styles.tabs} onKeyDown={press}>
        {tabs.map(([one, name]) => (
          <button key={one} id={`log-tab-${one}`} type="button" role="tab" className="plain" aria-selected={one === tab} aria-controls="log-tab-panel" tabIndex={one === tab ? 0 : -1} onClick={() => onTab(one)}>
            {name}
          </button>
        ))}
      </div>
      <div id="log-tab-panel" role="tabpanel" aria-labelledby={`log-tab-${tab}`} className={styles.panel}>
        {children}
      </div>
    </>
  );
}

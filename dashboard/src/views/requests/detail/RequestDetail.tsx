/** One request: what was asked, what was answered, what was logged and called, and sending it again. */
import { useState } from "react";
import type { ReactNode } from "react";
import { ApiError } from "../../../api/client";
import { useTrace } from "../../../api/trace";
import { useParam, useSetParams } from "../../../frame/address";
import { Status } from "../../../parts/Show";
import { Tabs } from "../../../parts/Tabs";
import { Empty, Failure, Loading } from "../../../parts/State";
import { fieldOf, withFilter } from "../../../query/parse";
import { duration } from "../../../time/format";
import { PathAndQuery } from "../../../parts/PathAndQuery";
import { pathAndQuery } from "../../../parts/requestText";
import { shortLine, withoutCodes } from "../../../parts/text";
import { Replay } from "../replay/Replay";
import type { RequestRow } from "../useRequestList";
import { DeletedNotice, RequestActions } from "./actions";
import { RequestTab, ResponseTab } from "./MessageTab";
import { Findings } from "./Findings";
import { callCount, lineCount } from "./failures";
import type { OnFilter } from "./Pairs";
import { Similar } from "./Similar";
import { TraceTab } from "./TraceTab";
import { useRequest } from "./useRequest";
import type { OpenRequest } from "./useRequest";
import styles from "./Detail.module.css";

/** The parts of the panel beside the list, or null if no request is open. */
export function useRequestDetail(id: number | null, rows: RequestRow[], onOpen: (id: number) => void): { title: ReactNode; actions?: ReactNode; body: ReactNode } | null {
  const query = useRequest(id, rows);
  if (id === null) return null;
  if (query.error instanceof ApiError && query.error.status === 404)
    return {
      title: `Request ${id}`,
      body: (
        <Empty title={`There is no request ${id}.`}>
          <span className="quiet">It may be past its retention, or was deleted for good.</span>
        </Empty>
      ),
    };
  if (query.isError) return { title: `Request ${id}`, body: <Failure error={query.error} what="The request" onRetry={() => void query.refetch()} /> };
  if (!query.data) return { title: `Request ${id}`, body: <Loading what="the request" /> };
  const { record } = query.data;
  return {
    title: (
      <>
        <Status code={record.status_code} />
        <bdi className="data">{withoutCodes(record.method)}</bdi>
        <span className={`data ${styles.headPath ?? ""}`} title={pathAndQuery(record, 1000)}>
          <PathAndQuery request={record} />
        </span>
        <span className="data">{duration(record.duration)}</span>
      </>
    ),
    actions: <RequestActions key={id} request={query.data} />,
    body: <Body key={id} request={query.data} onOpen={onOpen} />,
  };
}

function Body({ request, onOpen }: { request: OpenRequest; onOpen: (id: number) => void }) {
  const { record } = request;
  const [tab, setTab] = useParam("tab", "request");
  // A request that is opened with a tab leaves the focus where it is: in the list.
  const [firstTab] = useState(tab);
  const [text] = useParam("q");
  const setParams = useSetParams();
  const trace = useTrace(record.trace_id);
  const filter: OnFilter = (field, value, isExcluded) => {
    // A name that no filter can say is looked for by its value.
    const isField = fieldOf(field, "requests") !== null && /^[A-Za-z_][\w.[\]-]*$/.test(field);
    const words = `${isExcluded ? "-" : ""}"${String(value).replace(/["\\]/g, "\\$&")}"`;
    setParams({ q: isField ? withFilter(text, field, value, isExcluded) : `${text} ${words}`.trim() });
  };
  const tabs = [
    { id: "request", name: "Request" },
    { id: "response", name: "Response" },
    { id: "logs", name: `Logs${trace.data ? ` (${lineCount(trace.data)})` : ""}` },
    { id: "calls", name: `Calls${trace.data ? ` (${callCount(trace.data)})` : ""}` },
    { id: "replay", name: "Replay" },
  ];
  const chosen = tabs.some((one) => one.id === tab) ? tab : "request";
  return (
    <Tabs label="Parts of the request" tabs={tabs} chosen={chosen} onChoose={(id) => setTab(id, { replace: true })}>
      <h2 className="hidden-label">
        {shortLine(record.method)} {pathAndQuery(record)}
      </h2>
      <DeletedNotice request={request} />
      {(chosen === "request" || chosen === "response") && <Findings record={record} trace={trace} onOpen={onOpen} onAll={() => setTab("logs", { replace: true })} />}
      {chosen === "request" && (
        <>
          <RequestTab record={record} onFilter={filter} />
          <Similar id={record.id} onOpen={onOpen} />
        </>
      )}
      {chosen === "response" && <ResponseTab record={record} onFilter={filter} />}
      {chosen === "logs" && <TraceTab key="logs" record={record} trace={trace} show="all" onOpen={onOpen} />}
      {chosen === "calls" && <TraceTab key="calls" record={record} trace={trace} show="calls" onOpen={onOpen} />}
      {chosen === "replay" && <Replay record={record} hasFocus={firstTab !== "replay"} />}
    </Tabs>
  );
}

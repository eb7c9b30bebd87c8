/** A record of a trace on a line: a request or call with how it ended, or a log line. */
import { useSetParams } from "../../../frame/address";
import type { TraceEntry } from "../../../api/trace";
import { PathAndQuery } from "../../../parts/PathAndQuery";
import { Level, Status } from "../../../parts/Show";
import { shortLine, withoutCodes } from "../../../parts/text";
import { duration } from "../../../time/format";

export function EntryLine({ entry }: { entry: TraceEntry }) {
  if (entry.kind === "log")
    return (
      <>
        <Level level={entry.record.level} /> <bdi>{shortLine(entry.record.message, 1000)}</bdi>
      </>
    );
  const { record } = entry;
  return (
    <>
      <Status code={record.status_code} /> {duration(record.duration)} <bdi>{withoutCodes(record.method)}</bdi> <PathAndQuery request={record} />
    </>
  );
}

/** Opens a record of a trace in the view that it belongs to. */
export function useOpenEntry(onOpen: (id: number) => void): (entry: TraceEntry) => void {
  const setParams = useSetParams();
  return (entry) => {
    if (entry.kind !== "log") onOpen(entry.record.id);
    // The line in its trace: its neighbours are what one wants to read next.
    else setParams({ q: entry.record.trace_id === null ? "" : `trace:${entry.record.trace_id}`, open: String(entry.record.id), tab: "", order: "" }, { to: "/logs" });
  };
}

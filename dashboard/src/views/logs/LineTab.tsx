/** The message of a line, whole, and its fields as a tree whose values filter. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { call } from "../../api/client";
import type { Log, RequestSnapshot } from "../../api/client";
import { useIsAdmin } from "../../api/session";
import { sharedParams, useParam, useParams } from "../../frame/address";
import { JsonTree } from "../../parts/JsonTree";
import type { Leaf } from "../../parts/JsonTree";
import { shortLine, withoutCodes } from "../../parts/text";
import { useIsNarrow } from "../../parts/useIsNarrow";
import { togglePicked } from "../../query/picked";
import { count } from "../../time/format";
import { canFilter, withCopies } from "./filters";
import styles from "./LogDetail.module.css";

interface Props {
  log: Log;
  marks: RegExp | null;
  requests: RequestSnapshot[];
  isDeleted: boolean;
  onDeleted: (id: number, isDeleted: boolean) => void;
}

export function LineTab({ log, marks, requests, isDeleted, onDeleted }: Props) {
  const [text, setText] = useParam("q");
  const params = useParams();
  const isAdmin = useIsAdmin();
  // A telephone has no such keys.
  const isNarrow = useIsNarrow();
  const [request, ...otherRequests] = requests;
  const only = otherRequests.length === 0 ? request : undefined;
  const fields = useMemo(() => ({ level: log.level, source: log.source, created_at: log.created_at, trace_id: log.trace_id, id: log.id, meta: log.meta }), [log]);
  const filter = (path: string, value: Leaf, isExcluded: boolean) => setText(togglePicked(text, "logs", path, value, isExcluded));
  return (
    <div className={styles.line}>
      <Message key={log.id} text={log.message} marks={marks} />
      <p className={styles.links}>
        <button type="button" onClick={() => setText(withCopies(text, log))}>
          Only lines like this
        </button>
        <button type="button" onClick={() => setText(withCopies(text, log, true))}>
          No lines like this
        </button>
        {log.trace_id !== null && (
          <Link to="/requests" search={{ ...sharedParams(params), q: `trace_id:${log.trace_id}`, ...(only ? { open: String(only.id) } : {}) }}>
            {only ? `Request ${only.method} ${shortLine(only.path, 60)}` : "Requests of the trace"}
          </Link>
        )}
      </p>
      <h2 className={styles.head}>Fields</h2>
      <p className="quiet small">{isNarrow ? "Choose a value to show only lines with it." : "Choose a value (or press f) to show only lines with it; x leaves them out."}</p>
      <JsonTree key={`fields ${log.id}`} value={fields} path="" label="Fields of the line" open={3} onFilter={filter} canFilter={canFilter} />
      {isAdmin && <Removal log={log} isDeleted={isDeleted} onDeleted={onDeleted} />}
    </div>
  );
}

/** How much of a message is drawn at a time. */
const PIECE = 10_000;

function Message({ text, marks }: { text: string; marks: RegExp | null }) {
  const [shown, setShown] = useState(1);
  const pieces = useMemo(() => Array.from({ length: Math.min(shown, Math.ceil(text.length / PIECE)) }, (_, index) => withoutCodes(text.slice(index * PIECE, (index + 1) * PIECE))), [shown, text]);
  const left = text.length - shown * PIECE;
  return (
    <div className={styles.message}>
      {pieces.map((piece, index) => (
        <p key={index}>
          <bdi>{marks ? <Marked text={piece} marks={marks} /> : piece}</bdi>
        </p>
      ))}
      {left > 0 && (
        <button type="button" onClick={() => setShown(shown * 2)}>
          {count(left)} more characters …
        </button>
      )}
    </div>
  );
}

/** The most marks in a piece of a message. */
const MOST_MARKS = 500;

function Marked({ text, marks }: { text: string; marks: RegExp }) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(marks)) {
    if (parts.length >= 2 * MOST_MARKS) break;
    parts.push(text.slice(at, match.index), <mark key={match.index}>{match[0]}</mark>);
    at = match.index + match[0].length;
  }
  return (
    <>
      {parts}
      {text.slice(at)}
    </>
  );
}

/** Deleting a line keeps it until it is pruned, so that it can be restored. */
function Removal({ log, isDeleted, onDeleted }: Pick<Props, "log" | "isDeleted" | "onDeleted">) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: () => (isDeleted ? call(`/logs/${log.id}/restore`, { method: "POST" }) : call(`/logs/${log.id}`, { method: "DELETE" })),
    onSuccess: () => {
      onDeleted(log.id, !isDeleted);
      // The rows stay where they are; what is counted is counted again.
      void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "logs" && ["histogram", "facet"].includes(String(queryKey[1])) });
    },
  });
  return (
    <p className={styles.links}>
      <button type="button" className={isDeleted ? "" : "danger"} disabled={change.isPending} onClick={() => change.mutate()}>
        {isDeleted ? "Restore this line" : "Delete this line"}
      </button>
      <span role="status" className="quiet small">
        {isDeleted && "It is deleted: lists no longer have it."}
      </span>
      {change.isError && <span role="alert">Nothing was changed: {change.error.message}</span>}
    </p>
  );
}

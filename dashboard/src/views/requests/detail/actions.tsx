/** What one can do with a request: copy it, take it along, share it, delete it. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError, call } from "../../../api/client";
import type { RequestSnapshot } from "../../../api/client";
import { useIsAdmin } from "../../../api/session";
import { useWindow } from "../../../frame/window";
import { withTimes } from "../../../parts/links";
import { Menu } from "../../../parts/Menu";
import { Copy } from "../../../parts/Show";
import { curlOf, exportOne } from "../exports";
import type { OpenRequest } from "./useRequest";
import styles from "./Detail.module.css";

export function RequestActions({ request: { record, isDeleted } }: { request: OpenRequest }) {
  const isAdmin = useIsAdmin();
  const { range, from, until } = useWindow();
  return (
    <>
      <Copy text={() => curlOf(record.id, isDeleted)}>Copy as curl</Copy>
      <Menu label="⋯" title="More">
        <a role="menuitem" href={exportOne(record.id, isDeleted, "har")} download={`request-${record.id}.har`}>
          Export as HAR
        </a>
        <button type="button" role="menuitem" className="plain" onClick={() => void navigator.clipboard.writeText(JSON.stringify(record, null, 2))}>
          Copy as JSON
        </button>
        <button type="button" role="menuitem" className="plain" onClick={() => void navigator.clipboard.writeText(location.href)}>
          Copy link to request
        </button>
        {range.kind === "last" && (
          <button type="button" role="menuitem" className="plain" onClick={() => void navigator.clipboard.writeText(withTimes(location.href, from, until))}>
            Copy link to request with these times
          </button>
        )}
        {isAdmin && <DeleteItem record={record} isDeleted={isDeleted} />}
      </Menu>
    </>
  );
}

function useDelete(record: RequestSnapshot, isDeleted: boolean) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => (isDeleted ? call(`/requests/${record.id}/restore`, { method: "POST" }) : call(`/requests/${record.id}`, { method: "DELETE" })),
    onSuccess: async () => {
      client.setQueryData<OpenRequest>(["requests", "one", record.id], { record, isDeleted: !isDeleted });
      await client.invalidateQueries({ queryKey: ["requests"], predicate: ({ queryKey }) => queryKey[1] !== "one" });
    },
  });
}

function DeleteItem({ record, isDeleted }: OpenRequest) {
  const change = useDelete(record, isDeleted);
  return (
    <button type="button" role="menuitem" className="plain" disabled={change.isPending} onClick={() => change.mutate()}>
      {isDeleted ? "Restore" : "Delete"}
    </button>
  );
}

/** Says that a request is deleted, with the way back. */
export function DeletedNotice({ request: { record, isDeleted } }: { request: OpenRequest }) {
  const change = useDelete(record, isDeleted);
  const isAdmin = useIsAdmin();
  if (!isDeleted) return null;
  return (
    <p role="status" className={styles.notice}>
      This request is deleted. It stays until its retention is over.
      {isAdmin && (
        <button type="button" disabled={change.isPending} onClick={() => change.mutate()}>
          Restore
        </button>
      )}
      {change.isError && <span role="alert">{change.error instanceof ApiError ? change.error.detail : String(change.error)}</span>}
    </p>
  );
}

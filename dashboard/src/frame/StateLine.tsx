/** One line at the bottom, only when something needs it. */
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { currentConnection, retryConnection, subscribeToConnection, waitBefore } from "../api/connection";
import { useStatus } from "../api/status";
import type { Status } from "../api/status";
import { connectionLine, statusLines } from "./stateLines";
import styles from "./StateLine.module.css";

function useIsOnline(): boolean {
  return useSyncExternalStore(
    (listener) => {
      addEventListener("online", listener);
      addEventListener("offline", listener);
      return () => {
        removeEventListener("online", listener);
        removeEventListener("offline", listener);
      };
    },
    () => navigator.onLine,
  );
}

/** The connection. While it is lost, the server is tried; once it answers, what failed is asked for again. */
function useConnection() {
  const connection = useSyncExternalStore(subscribeToConnection, currentConnection);
  const client = useQueryClient();
  const { isLost, retries } = connection;
  const abort = useRef<AbortController | null>(null);
  const retry = () => {
    abort.current?.abort();
    abort.current = new AbortController();
    void retryConnection(abort.current.signal).then((isFound) => {
      if (isFound) void client.refetchQueries({ type: "active", predicate: ({ state }) => state.status === "error" || state.fetchFailureCount > 0 });
    });
  };
  const latest = useRef(retry);
  useEffect(() => {
    latest.current = retry;
  });
  useEffect(() => {
    if (!isLost) return;
    const timer = setTimeout(() => latest.current(), waitBefore(retries));
    return () => clearTimeout(timer);
  }, [isLost, retries]);
  useEffect(() => () => abort.current?.abort(), []);
  return { connection, retry };
}

export function StateLine() {
  const isOnline = useIsOnline();
  const { connection, retry } = useConnection();
  const status = useStatus();
  // The page was made for the version that the server had then, and counts from there.
  const [first, setFirst] = useState<Status | null>(null);
  const [seen, setSeen] = useState<Status | null>(null);
  if (first === null && status) setFirst(status);
  const isNew = first !== null && status !== null && status !== undefined && status.version !== first.version;

  const lost = connectionLine(connection, isOnline);
  const [urgent, ...rest] = status ? statusLines(status, seen ?? first ?? status) : [];
  return (
    // The place of it is always there, so that what appears in it is heard.
    <div role="status" className={lost !== null || urgent !== undefined || isNew ? styles.line : "hidden-label"}>
      {lost !== null ? (
        <>
          <strong>{lost}</strong>
          {isOnline && (
            <button type="button" onClick={retry}>
              Try now
            </button>
          )}
        </>
      ) : (
        <>
          {urgent !== undefined && (
            <>
              <strong>{urgent}</strong>
              {rest.length > 0 && <span title={rest.join("\n")}>and {rest.length} more</span>}
              <Link to="/storage">Storage</Link>
              {status && statusLines(status, status).length <= rest.length && (
                <button type="button" onClick={() => setSeen(status)}>
                  Seen
                </button>
              )}
            </>
          )}
          {isNew && (
            <>
              <span>A new version is here: {status.version}.</span>
              <button type="button" onClick={() => location.reload()}>
                Reload
              </button>
            </>
          )}
        </>
      )}
    </div>
  );
}

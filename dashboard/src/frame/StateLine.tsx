/** One line at the bottom, only when something needs it. */
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { currentConnection, retryConnection, subscribeToConnection, waitBefore } from "../api/connection";
import { useStatus } from "../api/status";
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
  // The page was made for the version that the server had then.
  const [loaded, setLoaded] = useState<string | null>(null);
  if (loaded === null && status?.version !== undefined) setLoaded(status.version);
  const isNew = loaded !== null && status?.version !== undefined && status.version !== loaded;

  const lost = connectionLine(connection, isOnline);
  const [first, ...rest] = status ? statusLines(status) : [];
  return (
    // The place of it is always there, so that what appears in it is heard.
    <div role="status" className={lost !== null || first !== undefined || isNew ? styles.line : "hidden-label"}>
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
          {first !== undefined && (
            <>
              <strong>{first}</strong>
              {rest.length > 0 && <span title={rest.join("\n")}>and {rest.length} more</span>}
              <Link to="/storage">Storage</Link>
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

/** How the API does: against the period before, and what explains it one key away. */
import { Navigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useKeys } from "../../frame/keys";
import { Endpoints } from "./Endpoints";
import { Alerts, FailedRequests, Health, NewestErrors, NewPatterns } from "./Lists";
import { useIsStoreEmpty, useNewPatterns } from "./panels";
import { useSearches, useSummary } from "./summary";
import { Tiles } from "./Tiles";
import { Traffic } from "./Traffic";
import styles from "./Overview.module.css";

export function Overview() {
  const isEmpty = useIsStoreEmpty();
  return isEmpty ? <Navigate to="/start" replace /> : <Shown />;
}

function Shown() {
  const searches = useSearches();
  const summary = useSummary(searches);
  const isNew = useNewPatterns(searches, false);
  const wasNew = useNewPatterns(searches, true);
  const view = useRef<HTMLDivElement>(null);
  const move = (by: 1 | -1) => {
    const rows = [...(view.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
  };
  useKeys([
    { keys: "j", name: "Next row", run: () => move(1) },
    { keys: "k", name: "Row before", run: () => move(-1) },
  ]);
  return (
    <div ref={view} className={styles.view}>
      <h1 className="hidden-label">Overview</h1>
      <Tiles summary={summary} isNew={isNew} wasNew={wasNew} />
      <div className={styles.first}>
        <Traffic searches={searches} />
        <div className={styles.side}>
          <Alerts />
          <Health />
        </div>
      </div>
      <div className={styles.endpoints}>
        <Endpoints summary={summary} />
      </div>
      <div className={styles.lists}>
        <NewestErrors searches={searches} />
        <NewPatterns patterns={isNew} />
        <FailedRequests searches={searches} />
      </div>
    </div>
  );
}

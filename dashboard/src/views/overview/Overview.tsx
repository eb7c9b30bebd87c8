/** How the API does: against the period before, and what explains it one key away. */
import { Navigate } from "@tanstack/react-router";
import { useRowFocus } from "../../parts/useRowFocus";
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
  const view = useRowFocus<HTMLDivElement>({ hasLists: true });
  return (
    <div ref={view} className={styles.view}>
      <h1 className="hidden-label">Overview</h1>
      <Tiles summary={summary} searches={searches} isNew={isNew} wasNew={wasNew} />
      <div className={styles.first}>
        <Traffic searches={searches} />
        <div className={styles.side}>
          <Alerts />
          <Health />
        </div>
      </div>
      <Endpoints summary={summary} searches={searches} />
      <div className={styles.lists}>
        <NewestErrors searches={searches} />
        <NewPatterns patterns={isNew} />
        <FailedRequests searches={searches} />
      </div>
    </div>
  );
}

/** Alerts, errors, new patterns, failed requests: the newest of each, and the way to all of them. */
import { Link } from "@tanstack/react-router";
import { useStatus } from "../../api/status";
import { sharedParams, useParams } from "../../frame/address";
import { statusLines } from "../../frame/stateLines";
import { Age } from "../../parts/Age";
import { PathAndQuery } from "../../parts/PathAndQuery";
import { oneLine, shortLine, withoutCodes } from "../../parts/text";
import { Level, Status } from "../../parts/Show";
import { withFilter } from "../../query/parse";
import { bytes, count, duration } from "../../time/format";
import { saidOf } from "../alerts/data";
import { draftOf, isMeasured, recordsOf } from "../alerts/rule";
import { conditionInWords, valueInWords } from "../alerts/words";
import { withPattern } from "../logs/filters";
import { NotUsedHere } from "./NotUsedHere";
import { Panel } from "./Panel";
import { ROWS, useAlerts, useFailedRequests, useNewestErrors } from "./panels";
import type { Alert, Pattern, useNewPatterns } from "./panels";
import type { Searches } from "./summary";
import styles from "./Overview.module.css";

const SHOWN_ALERTS = 6;
const AGE = `small ${styles.ago ?? ""}`;
const ROOM = `calc(${ROWS} * var(--row))`;

export function Alerts() {
  const alerts = useAlerts();
  const kept = sharedParams(useParams());
  const shown = alerts.data ?? [];
  const firing = shown.filter(({ status }) => status.state === "firing").length;
  return (
    <Panel
      title="Alerts"
      room="40px"
      beside={
        <>
          {firing > 0 && <span className={styles.firing}>{count(firing)} firing</span>}
          <Link to="/alerts">All alerts</Link>
        </>
      }
      isPending={alerts.isPending}
      error={alerts.error}
      onRetry={() => void alerts.refetch()}
      empty={shown.length === 0 ? <p className="quiet">No rules. A rule tells when there are too many errors, or when requests take too long.</p> : null}
    >
      <ul className={styles.rows}>
        {shown.slice(0, SHOWN_ALERTS).map((alert) => (
          <AlertRow key={alert.id} alert={alert} kept={kept} />
        ))}
      </ul>
    </Panel>
  );
}

function AlertRow({ alert, kept }: { alert: Alert; kept: Record<string, string> }) {
  const { name, subject, enabled, status } = alert;
  const condition = conditionInWords(saidOf(draftOf(alert), null));
  return (
    <li>
      <span className={`${styles.state ?? ""} ${status.state === "firing" ? (styles.firing ?? "") : ""}`}>{!enabled ? "paused" : isMeasured(alert) ? status.state : "not measured yet"}</span>
      <Link to={`/${subject}`} search={{ ...kept, ...recordsOf(alert) }} title={`${shortLine(name)}\n${shortLine(condition)}`} data-row>
        <bdi>{shortLine(name)}</bdi> <span className="quiet">{condition}</span>
      </Link>
      {status.problem !== null && <span className="small" title={oneLine(status.problem)}>cannot be evaluated</span>}
      {status.value !== null && <span className="small">{valueInWords(alert.measure, status.value)}</span>}
      {status.since !== null && <Age at={status.since} isOfRange={false} className={AGE} />}
    </li>
  );
}

export function NewestErrors({ searches }: { searches: Searches }) {
  const errors = useNewestErrors(searches);
  const kept = sharedParams(useParams());
  const q = withFilter(searches.text, "level", "error");
  return (
    <Panel
      title="Newest errors"
      note={<NotUsedHere text={searches.text} model="logs" />}
      room={ROOM}
      beside={
        <Link to="/logs" search={{ ...kept, q }}>
          All errors
        </Link>
      }
      isPending={errors.isPending}
      isOld={errors.isPlaceholderData}
      error={errors.error}
      onRetry={() => void errors.refetch()}
      empty={errors.data?.length === 0 ? <p className="quiet">No errors were logged in this range.</p> : null}
    >
      <Patterns patterns={errors.data ?? []} search={{ ...kept, q }} />
    </Panel>
  );
}

export function NewPatterns({ patterns }: { patterns: ReturnType<typeof useNewPatterns> }) {
  const kept = sharedParams(useParams());
  const search = { ...kept, view: "patterns", new: "1" };
  return (
    <Panel
      title="New patterns"
      note={<NotUsedHere text={kept["q"] ?? ""} model="logs" />}
      room={ROOM}
      beside={
        <Link to="/logs" search={search}>
          All new patterns
        </Link>
      }
      isPending={patterns.isPending}
      isOld={patterns.isPlaceholderData}
      error={patterns.error}
      onRetry={() => void patterns.refetch()}
      empty={patterns.data?.total === 0 ? <p className="quiet">No pattern that the period before did not have.</p> : null}
    >
      <Patterns patterns={patterns.data?.patterns ?? []} search={kept} hasLevel />
    </Panel>
  );
}

function Patterns({ patterns, search, hasLevel = false }: { patterns: Pattern[]; search: Record<string, string>; hasLevel?: boolean }) {
  return (
    <ul className={styles.rows}>
      {patterns.map(({ example, count: copies, last }) => (
        <li key={example.id}>
          {hasLevel && <Level level={example.level} />}
          <Link to="/logs" search={{ ...search, q: withPattern(search["q"] ?? "", example), order: "newest", open: String(example.id) }} className="data" title={shortLine(example.message)} data-row>
            <bdi>{shortLine(example.message)}</bdi>
          </Link>
          <span className="small">{copies > 1 && `×${count(copies)}`}</span>
          <Age at={last} className={AGE} />
        </li>
      ))}
    </ul>
  );
}

export function FailedRequests({ searches }: { searches: Searches }) {
  const failed = useFailedRequests(searches);
  const kept = sharedParams(useParams());
  const q = withFilter(searches.text, "status", "5xx");
  return (
    <Panel
      title="Failed requests, 5xx"
      note={<NotUsedHere text={searches.text} model="requests" />}
      room={ROOM}
      beside={
        <Link to="/requests" search={{ ...kept, q }}>
          All failed requests
        </Link>
      }
      isPending={failed.isPending}
      isOld={failed.isPlaceholderData}
      error={failed.error}
      onRetry={() => void failed.refetch()}
      empty={failed.data?.length === 0 ? <p className="quiet">No request failed with 5xx in this range.</p> : null}
    >
      <ul className={styles.rows}>
        {(failed.data ?? []).map((request) => (
          <li key={request.id}>
            <Status code={request.status_code} />
            <Link to="/requests" search={{ ...kept, q, open: String(request.id) }} className="data" title={shortLine(request.path)} data-row>
              <bdi>{withoutCodes(request.method)}</bdi> <PathAndQuery request={request} hasHost={false} />
            </Link>
            <span className="small">{duration(request.duration)}</span>
            <Age at={request.timestamp} className={AGE} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** The queue and the storage of the server, as far as it tells. */
export function Health() {
  const status = useStatus();
  // Its place, until it is known what it tells.
  if (status === undefined) return <div style={{ minHeight: "calc(28px + 2 * var(--row))" }} />;
  if (status === null) return null;
  const { body_bytes } = status.limits;
  const lines = statusLines(status, status);
  return (
    <Panel title="Server" beside={<Link to="/storage">Storage</Link>}>
      <ul className={styles.rows}>
        {lines.length === 0 && (
          <li>
            <span className={styles.text}>Accepting records</span>
          </li>
        )}
        {lines.map((line) => (
          <li key={line}>
            <span className={`level-warn ${styles.text ?? ""}`} title={shortLine(line)}>
              {shortLine(line)}
            </span>
          </li>
        ))}
        <li>
          <span className={styles.text}>Request bodies in memory</span>
          <span className="small">
            {bytes(body_bytes.used)} of {bytes(body_bytes.limit)}
          </span>
        </li>
        {(status.syslog?.dropped ?? 0) + status.refused_bodies.busy > 0 && (
          <li>
            <span className={styles.text}>Dropped or refused since start</span>
            <span className="small">{count((status.syslog?.dropped ?? 0) + status.refused_bodies.busy)}</span>
          </li>
        )}
      </ul>
    </Panel>
  );
}

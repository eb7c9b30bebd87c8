/** A row of the list: when, what, how it ended, how long it took, who asked and from where. */
import { memo } from "react";
import { Status } from "../../parts/Show";
import { clock, duration, inFull } from "../../time/format";
import { PathAndQuery } from "../../parts/PathAndQuery";
import { pathAndQuery } from "../../parts/requestText";
import { shortLine, withoutCodes } from "../../parts/text";
import { Marked } from "./Marked";
import { isOutgoing } from "./snapshot";
import type { RequestRow } from "./useRequestList";
import styles from "./List.module.css";

/** `data-field` and `data-value` are what the keys f and x filter by, where the pointer is. */
export const RequestLine = memo(function RequestLine({ row, slowest }: { row: RequestRow; slowest: number }) {
  const path = row.hit?.highlights.find((one) => one.field === "path");
  const elsewhere = row.hit?.highlights.find((one) => one.field !== "path");
  return (
    <>
      <span className={styles.time}>
        <RowTime at={row.timestamp} />
      </span>
      <span className={styles.method} data-field="method" data-value={row.method}>
        <bdi>{withoutCodes(row.method)}</bdi>
      </span>
      <span className={styles.path} title={pathAndQuery(row)} data-field="path" data-value={row.path}>
        {isOutgoing(row) && (
          <span className="quiet" title="The application sent this request itself">
            →{" "}
          </span>
        )}
        <PathAndQuery request={row}>{path && <Marked highlight={path} />}</PathAndQuery>
        {elsewhere && (
          <span className="quiet">
            {"  "}
            {elsewhere.field}: <bdi>
              <Marked highlight={elsewhere} lead={8} />
            </bdi>
          </span>
        )}
      </span>
      <span className={styles.status} data-field="status" data-value={row.status_code ?? ""}>
        <Status code={row.status_code} />
      </span>
      <span className={styles.duration}>
        <span className={styles.bar} aria-hidden>
          <span style={{ width: `${slowest > 0 ? Math.max(1, ((row.duration ?? 0) / slowest) * 100) : 0}%` }} />
        </span>
        {duration(row.duration)}
      </span>
      <span className={styles.user} title={row.user_id === null ? undefined : shortLine(row.user_id)} data-field="user" data-value={row.user_id ?? ""}>
        <bdi>{shortLine(row.user_id ?? "", 100)}</bdi>
      </span>
      <span className={styles.country} data-field="country" data-value={row.geo_country ?? ""}>
        <bdi>{withoutCodes(row.geo_country?.slice(0, 100) ?? "")}</bdi>
      </span>
      <span className={styles.version} title={shortLine(`${row.stage} ${row.version}`)} data-field="version" data-value={row.version}>
        <bdi>
          {withoutCodes(row.stage.slice(0, 100))} {withoutCodes(row.version.slice(0, 100))}
        </bdi>
      </span>
    </>
  );
});

/** A time whose day and milliseconds give way where there is little room. */
function RowTime({ at }: { at: string }) {
  const [, day = "", time = clock(at), fraction = ""] = /^(.*?)(\d\d:\d\d:\d\d)(\.\d+)$/.exec(clock(at)) ?? [];
  return (
    <time dateTime={at} title={inFull(at)}>
      <span className={styles.optional}>{day}</span>
      {time}
      <span className={styles.optional}>{fraction}</span>
    </time>
  );
}

/** What the columns are. */
export function ListHead() {
  return (
    <div className={styles.head} aria-hidden>
      <span className={styles.time}>Time</span>
      <span className={styles.method}>Method</span>
      <span className={styles.path}>Path</span>
      <span className={styles.status}>Status</span>
      <span className={styles.duration}>Duration</span>
      <span className={styles.user}>User</span>
      <span className={styles.country}>From</span>
      <span className={styles.version}>Stage, version</span>
    </div>
  );
}

/** A row of the list: when, what, how it ended, how long it took, who asked and from where. */
import { memo, useEffect, useRef } from "react";
import { Status } from "../../parts/Show";
import { clock, duration, inFull } from "../../time/format";
import { shortLine, withoutCodes } from "../../parts/text";
import { foundIn } from "./found";
import { Marked } from "./Marked";
import { PathCell } from "./PathCell";
import type { RequestRow } from "./useRequestList";
import styles from "./List.module.css";

/** `data-field` and `data-value` are what the keys f and x filter by, where the pointer is. */
export const RequestLine = memo(function RequestLine({ row, slowest, columns }: { row: RequestRow; slowest: number; columns: number }) {
  const { user } = foundIn(row);
  return (
    <>
      <span className={styles.time}>
        <RowTime at={row.timestamp} />
      </span>
      <span className={styles.method} data-field="method" data-value={row.method}>
        <bdi>{withoutCodes(row.method)}</bdi>
      </span>
      <PathCell row={row} columns={columns} />
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
        <bdi>{user ? <Marked highlight={user} columns={100} /> : shortLine(row.user_id ?? "", 100)}</bdi>
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

/** What the columns are. `onPathWidth` gets the pixels that paths have. */
export function ListHead({ onPathWidth }: { onPathWidth: (pixels: number) => void }) {
  const path = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const shown = path.current;
    if (!shown) return;
    const observer = new ResizeObserver(() => onPathWidth(shown.clientWidth));
    observer.observe(shown);
    return () => observer.disconnect();
  }, [onPathWidth]);
  return (
    <div className={styles.head} aria-hidden>
      <span className={styles.time}>Time</span>
      <span className={styles.method}>Method</span>
      <span ref={path} className={styles.path}>
        Path
      </span>
      <span className={styles.status}>Status</span>
      <span className={styles.duration}>Duration</span>
      <span className={styles.user}>User</span>
      <span className={styles.country}>From</span>
      <span className={styles.version}>Stage, version</span>
    </div>
  );
}

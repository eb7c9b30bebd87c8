/** The path of a request in its row, and what a search found in it or in what has no column. */
import { PathAndQuery } from "../../parts/PathAndQuery";
import { pathAndQuery } from "../../parts/requestText";
import { around, foundIn, markWords, shareRoom } from "./found";
import { Marked, MarkedParts } from "./Marked";
import { isOutgoing } from "./snapshot";
import type { RequestRow } from "./useRequestList";
import styles from "./List.module.css";

export function PathCell({ row, columns }: { row: RequestRow; columns: number }) {
  const { path, queryWords, elsewhere } = foundIn(row);
  const arrow = isOutgoing(row) ? 2 : 0;
  const whole = pathAndQuery(row);
  // A column is for what is between the two.
  const room = elsewhere && shareRoom(columns - arrow - 1, whole.length, elsewhere.label.length);
  const ofPath = room?.path ?? columns - arrow;
  return (
    <span className={styles.path} title={whole} data-field="path" data-value={row.path}>
      {arrow > 0 && (
        <span className="quiet" title="The application sent this request itself">
          →{" "}
        </span>
      )}
      <span className={room && styles.shared} style={room && { maxWidth: `${ofPath}ch` }}>
        <PathAndQuery request={row} columns={ofPath} hasHost={whole.length <= ofPath} path={path && <Marked highlight={path} columns={ofPath} />} showQuery={(query) => <MarkedParts parts={markWords(query, queryWords)} />} />
      </span>
      {elsewhere && room && room.excerpt > 0 && (
        <span className={`quiet ${styles.excerpt ?? ""}`}>
          {" "}
          {room.label && elsewhere.label}
          <bdi>
            <Marked highlight={around(elsewhere.highlight, room.excerpt)} columns={room.excerpt} />
          </bdi>
        </span>
      )}
    </span>
  );
}

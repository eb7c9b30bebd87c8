/** Requests that are similar to one, when they are asked for. */
import { useState } from "react";
import { Status, Time } from "../../../parts/Show";
import { Failure, Loading } from "../../../parts/State";
import { duration } from "../../../time/format";
import { PathAndQuery } from "../../../parts/PathAndQuery";
import { pathAndQuery } from "../../../parts/requestText";
import { withoutCodes } from "../../../parts/text";
import { useSimilar } from "./useRequest";
import styles from "./Detail.module.css";

export function Similar({ id, onOpen }: { id: number; onOpen: (id: number) => void }) {
  const [isShown, setShown] = useState(false);
  return (
    <section className={styles.section} aria-label="Similar requests">
      <button type="button" aria-expanded={isShown} onClick={() => setShown(!isShown)}>
        Similar requests {isShown ? "▾" : "▸"}
      </button>
      {isShown && <Found id={id} onOpen={onOpen} />}
    </section>
  );
}

function Found({ id, onOpen }: { id: number; onOpen: (id: number) => void }) {
  const { data, isError, error, refetch } = useSimilar(id);
  if (isError) return <Failure error={error} what="Similar requests" onRetry={() => void refetch()} />;
  if (!data) return <Loading what="similar requests" />;
  const others = data.filter((row) => row.id !== id);
  if (others.length === 0) return <p className="quiet">No other request is similar.</p>;
  return (
    <ul className={styles.similar}>
      {others.map((row) => (
        <li key={row.id}>
          <button type="button" className="plain" onClick={() => onOpen(row.id)}>
            <Time at={row.timestamp} />
            <bdi>{withoutCodes(row.method)}</bdi>
            <span className={styles.headPath} title={pathAndQuery(row)}>
              <PathAndQuery request={row} />
            </span>
            <Status code={row.status_code} />
            <span>{duration(row.duration)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

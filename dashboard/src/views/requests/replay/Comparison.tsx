/** The captured response and the new one, with what differs. */
import { useMemo } from "react";
import { Link } from "@tanstack/react-router";
import type { RequestSnapshot } from "../../../api/client";
import { Status } from "../../../parts/Show";
import { duration } from "../../../time/format";
import { isMasked } from "../masked";
import { readHeaders } from "../snapshot";
import { Text } from "../detail/Value";
import { isIgnored, ruleAnywhere, ruleFor } from "./ignore";
import { MOST_LINES, bodyLines, pair } from "./lines";
import type { Line, LinePair } from "./lines";
import type { Difference, ReplayAnswer } from "./api";
import styles from "./Replay.module.css";

interface Props {
  record: RequestSnapshot;
  answer: ReplayAnswer;
  ignored: string[];
  onIgnore: (rules: string[]) => void;
}

export function Comparison({ record, answer, ignored, onIgnore }: Props) {
  const all = answer.differences ?? [];
  const differences = all.filter(({ place }) => !isIgnored(place, ignored));
  const more = answer.more_differences ?? 0;
  const isSame = differences.length === 0 && more === 0;
  return (
    // What was asked for comes in sight.
    <section ref={toSight} aria-label="Comparison of the responses">
      <div role="status">
        <h3 className={styles.result}>
          <span aria-hidden>{isSame ? "=" : "≠"}</span> {isSame ? (all.length > 0 || ignored.length > 0 ? "The same, but for what is ignored" : "The same answer") : `${differences.length + more} ${differences.length + more === 1 ? "difference" : "differences"}`}
          <span className="data">
            <Status code={record.status_code} /> → <Status code={answer.status ?? null} />
          </span>
          <span className="data quiet">
            {duration(record.duration)} → {duration(answer.duration)}
          </span>
          {answer.trace_id && (
            <Link to="/logs" search={{ q: `trace:${answer.trace_id}` }} title="If the target captures into this database">
              Its logs
            </Link>
          )}
        </h3>
      </div>
      {ignored.length > 0 && (
        <p className={styles.rules}>
          Ignored:
          {ignored.map((rule) => (
            <button key={rule} type="button" title="Compare it again" aria-label={`Compare ${rule} again`} onClick={() => onIgnore(ignored.filter((other) => other !== rule))}>
              <code>{rule}</code> ✕
            </button>
          ))}
        </p>
      )}
      {differences.length > 0 && <Differences differences={differences} onIgnore={(rule) => onIgnore([...ignored, rule])} />}
      {more > 0 && <p className="quiet">And {more} more.</p>}
      {(answer.not_compared ?? []).map((what) => (
        <p key={what} className="quiet small">
          Not compared: {what}.
        </p>
      ))}
      <SideBySide record={record} answer={answer} differences={differences} ignored={ignored} />
    </section>
  );
}

function toSight(section: HTMLElement | null): void {
  // Its head says how much differs: of a long one, it is what is seen.
  if (section) section.scrollIntoView({ block: section.getBoundingClientRect().bottom > innerHeight ? "start" : "nearest" });
}

function Differences({ differences, onIgnore }: { differences: Difference[]; onIgnore: (rule: string) => void }) {
  return (
    <table className={styles.differences}>
      <thead>
        <tr>
          <th>Place</th>
          <th>Captured</th>
          <th>Now</th>
          <th>
            <span className="hidden-label">Ignore</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {differences.map((one) => {
          const anywhere = ruleAnywhere(one.place);
          return (
            <tr key={`${one.kind} ${one.place}`}>
              <th scope="row">
                <bdi>{one.place.slice(0, 300)}</bdi>
              </th>
              <td>{one.kind === "added" ? <span className="quiet">–</span> : <Text text={short(one.captured)} />}</td>
              <td>{one.kind === "removed" ? <span className="quiet">–</span> : <Text text={short(one.replayed)} />}</td>
              <td>
                <button type="button" className="plain small" title={`Ignore ${ruleFor(one.place)} from now on`} onClick={() => onIgnore(ruleFor(one.place))}>
                  ignore
                </button>
                {anywhere !== null && (
                  <button type="button" className="plain small" title={`Ignore ${anywhere} from now on`} onClick={() => onIgnore(anywhere)}>
                    anywhere
                  </button>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) as string | undefined);
  return text === undefined ? "" : text.length > 300 ? `${text.slice(0, 300)} …` : text;
}

function SideBySide({ record, answer, differences, ignored }: { record: RequestSnapshot; answer: ReplayAnswer; differences: Difference[]; ignored: string[] }) {
  const headers = useMemo(() => pairHeaders(record.response_headers, answer.response?.headers), [answer.response, record.response_headers]);
  const body = useMemo(() => pair(bodyLines(record.response_body), bodyLines(answer.response?.body)), [answer.response, record.response_body]);
  const places = new Set(differences.map((one) => one.place));
  const isMarked = ({ left, right, isSame }: LinePair) => {
    const place = left?.place ?? right?.place ?? null;
    if (isSame || (left && isMasked(left.text))) return false;
    // Of headers, the server knows which are never compared.
    if (place?.startsWith("headers.")) return places.has(place);
    return place === null || !isIgnored(place, ignored);
  };
  return (
    <div className={styles.sides} role="table" aria-label="Both responses, line by line">
      <div role="row" className={styles.pair}>
        <span role="columnheader">Captured</span>
        <span role="columnheader">Now</span>
      </div>
      {[...headers, { left: null, right: null, isSame: true }, ...body].map((one, index) => (
        <div role="row" key={index} className={styles.pair} data-marked={isMarked(one) || undefined}>
          <Side line={one.left} mark={isMarked(one) ? "−" : ""} />
          <Side line={one.right} mark={isMarked(one) ? "+" : ""} />
        </div>
      ))}
      {body.length >= MOST_LINES && <p className="quiet small">The first {MOST_LINES} lines of each.</p>}
    </div>
  );
}

function Side({ line, mark }: { line: Line | null; mark: string }) {
  return (
    <span role="cell" className={styles.side} data-gone={line === null || undefined}>
      <span className={styles.mark}>{line === null ? "" : mark}</span>
      {line && <Text text={line.text} />}
    </span>
  );
}

function pairHeaders(captured: unknown, replayed: unknown): LinePair[] {
  const [left, right] = [captured, replayed].map((headers) => new Map(readHeaders(headers, "response_headers").headers.map(({ name, value }) => [name.toLowerCase(), [value].flat().join(", ")])));
  const names = [...new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])])].sort();
  return names.map((name) => {
    const line = (value: string | undefined): Line | null => (value === undefined ? null : { text: `${name}: ${value}`, place: `headers.${name}` });
    return { left: line(left?.get(name)), right: line(right?.get(name)), isSame: left?.get(name) === right?.get(name) };
  });
}

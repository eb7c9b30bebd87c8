/** What was asked, or answered: the facts, the parameters, the headers, the body. */
import type { ReactNode } from "react";
import type { RequestSnapshot } from "../../../api/client";
import { Time } from "../../../parts/Show";
import { bytes, duration } from "../../../time/format";
import { isMasked } from "../masked";
import { fieldOfKey, isOutgoing, readBody, readHeaders } from "../snapshot";
import type { Header } from "../snapshot";
import { BodyView } from "./BodyView";
import { FilterButtons, Pairs } from "./Pairs";
import type { OnFilter } from "./Pairs";
import { AnyValue, Text } from "./Value";
import { Status } from "../../../parts/Show";
import styles from "./Detail.module.css";

interface Props {
  record: RequestSnapshot;
  onFilter: OnFilter;
}

export function RequestTab({ record, onFilter }: Props) {
  const { headers, facts } = readHeaders(record.headers, "headers");
  const query = typeof record.query === "object" && record.query !== null && !Array.isArray(record.query) ? Object.entries(record.query as Record<string, unknown>) : [];
  const place = [record.geo_city, record.geo_region, record.geo_country].filter(Boolean).join(", ");
  return (
    <>
      <dl className={styles.facts}>
        <Fact name="Path" filter={<FilterButtons field="path" value={record.path} onFilter={onFilter} />}>
          <Text text={record.path} />
        </Fact>
        {typeof facts["route"] === "string" && (
          <Fact name="Route" filter={<FilterButtons field="route" value={facts["route"]} onFilter={onFilter} />}>
            <Text text={facts["route"]} />
          </Fact>
        )}
        <Fact name="Time">
          <Time at={record.timestamp} />
        </Fact>
        {record.user_id !== null && (
          <Fact name="User" filter={<FilterButtons field="user" value={record.user_id} onFilter={onFilter} />}>
            <Text text={record.user_id} />
          </Fact>
        )}
        {place !== "" && (
          <Fact name="From" filter={record.geo_country === null ? null : <FilterButtons field="country" value={record.geo_country} onFilter={onFilter} />}>
            <Text text={place} />
            {record.geo_lat !== null && record.geo_lon !== null && (
              <span className="quiet">
                {" "}
                {record.geo_lat.toFixed(2)}, {record.geo_lon.toFixed(2)}
              </span>
            )}
          </Fact>
        )}
        <Fact name="Version" filter={<FilterButtons field="version" value={record.version} onFilter={onFilter} />}>
          <Text text={`${record.version}, stage ${record.stage}`} />
        </Fact>
        {record.trace_id !== null && (
          <Fact name="Trace" filter={<FilterButtons field="trace" value={record.trace_id} onFilter={onFilter} />}>
            <Text text={record.trace_id} />
          </Fact>
        )}
        {isOutgoing(record) && <Fact name="Sent by">the application itself</Fact>}
        <OtherFacts facts={facts} without={["route", "direction", "request_size"]} />
      </dl>
      {query.length > 0 && (
        <section className={styles.section} aria-label="Query">
          <h3 className={styles.title}>
            Query <span className="quiet">{query.length}</span>
          </h3>
          <Pairs label="Query" pairs={query.map(([name, value]) => ({ name, value, field: fieldOfKey("query", name) }))} onFilter={onFilter} />
        </section>
      )}
      <Headers headers={headers} isCaptured={record.headers !== null} onFilter={onFilter} />
      <BodyView body={readBody(record.body, record.headers, "request")} raw={record.body} root="body" onFilter={onFilter} />
    </>
  );
}

export function ResponseTab({ record, onFilter }: Props) {
  const { headers, facts } = readHeaders(record.response_headers, "response_headers");
  const size = facts["response_size"];
  return (
    <>
      <dl className={styles.facts}>
        <Fact name="Status" filter={<FilterButtons field="status" value={record.status_code} onFilter={onFilter} />}>
          <Status code={record.status_code} />
          {record.status_code === null && <span className="quiet"> No answer: the client may have gone away before.</span>}
        </Fact>
        <Fact name="Duration">{duration(record.duration)}</Fact>
        {typeof size === "number" && <Fact name="Size">{bytes(size)}</Fact>}
        {typeof facts["error"] === "string" && (
          <Fact name="Broke off">
            <Text text={facts["error"]} />
          </Fact>
        )}
        <OtherFacts facts={facts} without={["response_size", "error"]} />
      </dl>
      {/* What was answered says more of it than how. */}
      <BodyView body={readBody(record.response_body, record.response_headers, "response")} raw={record.response_body} root="response_body" onFilter={onFilter} />
      <Headers headers={headers} isCaptured={record.response_headers !== null} onFilter={onFilter} />
    </>
  );
}

function Fact({ name, filter = null, children }: { name: string; filter?: ReactNode; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="data">
        {children}
        {filter}
      </dd>
    </div>
  );
}

const FACT_NAMES: Record<string, string> = { client_ip: "Client", http_version: "Protocol", span_id: "Span", parent_span_id: "Parent span", replay_of: "Replay of" };

function OtherFacts({ facts, without }: { facts: Record<string, unknown>; without: string[] }) {
  return Object.entries(facts)
    .filter(([name]) => !without.includes(name))
    .map(([name, value]) => (
      <Fact key={name} name={FACT_NAMES[name] ?? name}>
        <AnyValue value={value} name={name} />
      </Fact>
    ));
}

function Headers({ headers, isCaptured, onFilter }: { headers: Header[]; isCaptured: boolean; onFilter: OnFilter }) {
  const masked = headers.filter(({ value }) => isMasked(value)).length;
  return (
    <section className={styles.section} aria-label="Headers">
      <h3 className={styles.title}>
        Headers{" "}
        <span className="quiet">
          {headers.length}
          {masked > 0 && `, ${masked} masked`}
        </span>
      </h3>
      {headers.length === 0 ? <p className="quiet">{isCaptured ? "There were none." : "They were not captured."}</p> : <Pairs label="Headers" pairs={headers} onFilter={onFilter} />}
    </section>
  );
}

/** What rules have become, the newest first, and whether their webhooks got to know. */
import type { AlertChange } from "../../api/client";
import { usePages } from "../../api/pages";
import { useParam } from "../../frame/address";
import { useKeys } from "../../frame/keys";
import { More } from "../../parts/More";
import { Name } from "../../parts/Name";
import { shortLine } from "../../parts/text";
import { Time } from "../../parts/Show";
import { Failure, Loading } from "../../parts/State";
import { Table } from "../../parts/Table";
import type { Column } from "../../parts/Table";
import { ViewHead } from "../../parts/ViewHead";
import { counted } from "../../time/format";
import { EVERY_MS } from "./data";
import type { Rule } from "./rule";
import styles from "./Alerts.module.css";
import { messageInWords } from "./words";

export function History({ rules }: { rules: Rule[] }) {
  const [rule, setRule] = useParam("rule");
  const [state, setState] = useParam("state");
  const changes = usePages<AlertChange>(
    "/alert_changes",
    {
      order_by: "-id",
      limit: 50,
      ...(/^\d+$/.test(rule) ? { rule_id: rule } : {}),
      ...(state === "" ? {} : { state }),
    },
    { every: EVERY_MS },
  );
  useKeys([{ keys: "h", name: "Refresh the history", run: () => void changes.query.refetch() }]);
  const { query } = changes;
  // A deleted rule has a history, and no name in the list.
  const isUnknown = rule !== "" && !rules.some((one) => String(one.id) === rule);
  return (
    <section aria-label="History">
      <ViewHead title="History" level={2}>
        <select aria-label="Rule" className={styles.pick} value={rule} onChange={(event) => setRule(event.target.value)}>
          <option value="">All rules</option>
          {isUnknown && <option value={rule}>Rule {rule}</option>}
          {rules.map((one) => (
            <option key={one.id} value={one.id}>
              {shortLine(one.name, 60)}
            </option>
          ))}
        </select>
        <select aria-label="State" value={state} onChange={(event) => setState(event.target.value)}>
          <option value="">All changes</option>
          <option value="firing">Firing</option>
          <option value="resolved">Resolved</option>
          <option value="test">Tests</option>
        </select>
        <button type="button" onClick={() => void query.refetch()}>
          Refresh
        </button>
      </ViewHead>
      {query.isPending && <Loading what="the history" />}
      {query.isError && <Failure error={query.error} what="The history" onRetry={() => void query.refetch()} />}
      {query.isSuccess && changes.rows.length === 0 && <p className="quiet padded">No rule has fired{rule === "" && state === "" ? " yet" : " that is shown here"}.</p>}
      {changes.rows.length > 0 && <Table label="Changes of alerts" columns={COLUMNS} rows={changes.rows} idOf={(change) => change.id} isOld={changes.isOld} onOpen={(change) => setRule(String(change.rule_id))} />}
      <More query={query} />
    </section>
  );
}

const COLUMNS: Column<AlertChange>[] = [
  { name: "created_at", label: "Time", cell: (change) => <Time at={change.created_at} /> },
  { name: "state", label: "Became", cell: (change) => <span className={change.state === "firing" ? "level-error" : undefined}>{change.state}</span> },
  { name: "rule_name", label: "Rule", cell: (change) => <Name text={change.rule_name} /> },
  { name: "message", label: "Message", isWrapped: true, cell: (change) => <Name text={messageInWords(change)} most={1000} /> },
  { name: "delivery", label: "Delivery", isWrapped: true, cell: (change) => <Delivery change={change} /> },
];

function Delivery({ change }: { change: AlertChange }) {
  const { delivery, attempts, delivered_at: at, last_error: error } = change;
  if (delivery === "none") return <span className="quiet">no webhook</span>;
  if (delivery === "delivered") return <>delivered {at !== null && <Time at={at} />}</>;
  return (
    <>
      {delivery === "pending" ? "waiting" : "failed"}
      {attempts > 0 && ` after ${counted(attempts, "attempt")}`}
      {error !== null && (
        <>
          : <Name text={error} most={1000} />
        </>
      )}
    </>
  );
}

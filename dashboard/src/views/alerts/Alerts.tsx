/** Rules that watch the records, and what became of them. */
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useIsAdmin } from "../../api/session";
import { useParam } from "../../frame/address";
import { useKeys } from "../../frame/keys";
import { Menu } from "../../parts/Menu";
import { Name } from "../../parts/Name";
import { shortLine } from "../../parts/text";
import { Time } from "../../parts/Show";
import { Empty, Failure, Loading } from "../../parts/State";
import { sortRows } from "../../parts/sort";
import { Table } from "../../parts/Table";
import { useRowFocus } from "../../parts/useRowFocus";
import type { Column } from "../../parts/Table";
import { ViewHead } from "../../parts/ViewHead";
import { History } from "./History";
import { DeleteRule, TestRule } from "./RuleDialogs";
import { RuleForm } from "./RuleForm";
import { saidOf, useRuleChange, useRules } from "./data";
import { draftOf, isMeasured, recordsOf } from "./rule";
import type { Rule } from "./rule";
import { State, STATES } from "./State";
import styles from "./Alerts.module.css";
import { ruleInWords, valueInWords } from "./words";

export function Alerts() {
  const isAdmin = useIsAdmin();
  const rules = useRules();
  const change = useRuleChange();
  const pause = useMutation({ mutationFn: (rule: Rule) => change("PATCH", `/${rule.id}`, { enabled: !rule.enabled }) });
  const [sort, setSort] = useParam("sort", "state");
  const [dialog, setDialog] = useParam("do");
  useKeys([{ keys: "r", name: "Refresh", run: () => void rules.refetch() }]);
  const view = useRowFocus<HTMLDivElement>();
  const [, setHistory] = useParam("rule");
  const rows = sortRows(rules.data ?? [], sort, valueOf);
  const [what, id] = dialog.split("-");
  const chosen = rules.data?.find((rule) => String(rule.id) === id);
  const close = () => setDialog("", { replace: true });
  return (
    <div ref={view}>
      <ViewHead title="Alerts">
        {isAdmin ? (
          <button type="button" className="primary" onClick={() => setDialog("new")}>
            New rule
          </button>
        ) : (
          <span className="quiet small">Admins make and change rules.</span>
        )}
      </ViewHead>
      {rules.isPending && <Loading what="the rules" />}
      {rules.isError && <Failure error={rules.error} what="The rules" onRetry={() => void rules.refetch()} />}
      {pause.isError && <Failure error={pause.error} what="The rule" verb="changed" onRetry={() => pause.mutate(pause.variables)} />}
      {rules.data?.length === 0 && (
        <Empty title="Nothing is watched yet.">
          <p>A rule counts log lines or requests, or measures latencies, and calls a webhook when that goes beyond a threshold.</p>
        </Empty>
      )}
      {rows.length > 0 && (
        <Table
          label="Rules"
          columns={[...COLUMNS, actions({ isAdmin, open: setDialog, onPause: pause.mutate })]}
          rows={rows}
          idOf={(rule) => rule.id}
          sort={sort}
          onSort={setSort}
          onOpen={(rule) => (isAdmin ? setDialog(`change-${rule.id}`) : setHistory(String(rule.id)))}
        />
      )}
      {/* Once the rules are there: it would move down when they come. */}
      {!rules.isPending && <History rules={rules.data ?? []} />}
      {isAdmin && what === "new" && <RuleForm rule={null} onClose={close} />}
      {isAdmin && chosen && what === "change" && <RuleForm rule={chosen} onClose={close} />}
      {isAdmin && chosen && what === "test" && <TestRule rule={chosen} onClose={close} />}
      {isAdmin && chosen && what === "delete" && <DeleteRule rule={chosen} onClose={close} />}
    </div>
  );
}

function valueOf(rule: Rule, name: string): string | number | null {
  if (name === "state") return rule.enabled ? (isMeasured(rule) ? STATES[rule.status.state].order : 8) : 9;
  if (name === "value") return rule.status.value;
  if (name === "since") return rule.status.since;
  return rule.name.toLowerCase();
}

const COLUMNS: Column<Rule>[] = [
  { name: "state", label: "State", isSorted: true, cell: (rule) => <State rule={rule} /> },
  { name: "name", label: "Name", isSorted: true, cell: (rule) => <Name text={rule.name} /> },
  { name: "words", label: "Rule", isWrapped: true, cell: (rule) => <Words rule={rule} /> },
  { name: "value", label: "Value", isNumber: true, isSorted: true, cell: (rule) => valueInWords(rule.measure, rule.status.value) },
  { name: "since", label: "Since", isSorted: true, cell: (rule) => (rule.status.since === null ? "–" : <Time at={rule.status.since} />) },
];

function Words({ rule }: { rule: Rule }) {
  return (
    <>
      <Name text={ruleInWords(saidOf(draftOf(rule), rule.webhook))} most={1000} />
      {rule.status.problem !== null && (
        <span className={styles.problem}>
          ⚠ It cannot be evaluated: <Name text={rule.status.problem} most={1000} />
        </span>
      )}
    </>
  );
}

const PATHS = { logs: "/logs", requests: "/requests", metrics: "/metrics" };

interface Actions {
  isAdmin: boolean;
  open: (dialog: string) => void;
  onPause: (rule: Rule) => void;
}

function actions(all: Actions): Column<Rule> {
  return { name: "actions", label: "Actions", isLabelHidden: true, isNarrow: true, cell: (rule) => <RuleMenu rule={rule} {...all} /> };
}

function RuleMenu({ rule, isAdmin, open, onPause }: Actions & { rule: Rule }) {
  const [, setHistory] = useParam("rule");
  const draft = draftOf(rule);
  return (
    <Menu label="⋯" name={`What to do with ${shortLine(rule.name, 60)}`}>
      {/* The records that it counts, in its period and the one before. */}
      {!draft.isRaw && (
        <Link role="menuitem" to={PATHS[rule.subject]} search={{ ...recordsOf(rule), range: `${Math.ceil((2 * rule.period) / 60)}m` }}>
          Look at its records
        </Link>
      )}
      <button type="button" role="menuitem" className="plain" onClick={() => setHistory(String(rule.id))}>
        Only its history
      </button>
      {isAdmin && (
        <>
          <button type="button" role="menuitem" className="plain" onClick={() => open(`change-${rule.id}`)}>
            Change …
          </button>
          <button type="button" role="menuitem" className="plain" onClick={() => onPause(rule)}>
            {rule.enabled ? "Pause" : "Resume"}
          </button>
          {rule.webhook !== null && (
            <button type="button" role="menuitem" className="plain" onClick={() => open(`test-${rule.id}`)}>
              Test the webhook …
            </button>
          )}
          <button type="button" role="menuitem" className="plain" onClick={() => open(`delete-${rule.id}`)}>
            Delete …
          </button>
        </>
      )}
    </Menu>
  );
}

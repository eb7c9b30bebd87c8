/** The form of a rule, which says it in words as it is typed. */
import { useDeferredValue, useState } from "react";
import { Dialog } from "../../parts/Dialog";
import { Field, Form, FormActions, FormProblem } from "../../parts/Form";
import { shortLine, withoutCodes } from "../../parts/text";
import { useSettled } from "../../parts/useSettled";
import { FieldError, useForm } from "../../parts/useForm";
import { parse } from "../../query/parse";
import { searchForModel, withEndpoint } from "../../query/typed";
import { saidOf, useRuleChange, useValueNow } from "./data";
import { bodyOf, draftOf, NEW_RULE, thresholdOf } from "./rule";
import type { Draft, Measure, Rule, Subject } from "./rule";
import styles from "./Alerts.module.css";
import { endInWords, ruleInWords, seconds, valueInWords } from "./words";

const WATCHED: [value: `${Subject}:${Measure}`, label: string][] = [
  ["logs:count", "Number of log lines"],
  ["requests:count", "Number of requests"],
  ["logs:new_patterns", "New patterns of log lines"],
  ["requests:new_patterns", "New patterns of requests"],
  ["metrics:error_rate", "Error rate of endpoints (5xx)"],
  ["metrics:p50_latency", "p50 latency of endpoints"],
  ["metrics:p95_latency", "p95 latency of endpoints"],
  ["metrics:p99_latency", "p99 latency of endpoints"],
  ["metrics:traffic_count", "Requests of endpoints"],
];
const PERIODS = [60, 300, 600, 900, 1800, 3600, 21_600, 86_400];
const LASTING = [0, 60, 120, 300, 600, 1800, 3600];

export function RuleForm({ rule, onClose }: { rule: Rule | null; onClose: () => void }) {
  const change = useRuleChange();
  const [draft, setDraft] = useState<Draft>(() => (rule ? draftOf(rule) : NEW_RULE));
  const set = (changed: Partial<Draft>) => setDraft((before) => ({ ...before, ...changed }));
  // The search as it was typed: what is watched takes over what it has of it, and the rest comes back with what was watched before.
  const [typed, setTyped] = useState(draft.search);
  const watch = (subject: Subject, measure: Measure) => set({ subject, measure, ...(draft.isRaw ? {} : { search: searchForModel(typed, subject).text }) });
  const type = (search: string) => {
    setTyped(search);
    set({ search });
  };
  const problem = draft.isRaw ? null : searchProblem(draft);
  const form = useForm({
    fields: { name: "name", subject: "watched", measure: "watched", filter: "search", threshold: "threshold", period: "period", fire_after: "fireAfter", resolve_after: "resolveAfter", webhook_url: "webhook" },
    send: async () => {
      if (problem !== null) throw new FieldError("search", problem);
      if (Number.isNaN(thresholdOf(draft))) throw new FieldError("threshold", "must be a number");
      if (rule) await change("PATCH", `/${rule.id}`, bodyOf(draft));
      else await change("POST", "", bodyOf(draft));
      onClose();
    },
  });
  const title = rule ? "Change a rule" : "New rule";
  const unit = draft.measure === "error_rate" ? " (%)" : draft.measure.endsWith("latency") ? " (ms)" : "";
  return (
    <Dialog title={title} kind="form" onClose={onClose}>
      <Form form={form} label={title}>
        <Field name="name" label="Name">
          {(control) => <input {...control} autoComplete="off" maxLength={200} required value={draft.name} onChange={(event) => set({ name: event.target.value })} />}
        </Field>
        <Field name="watched" label="What is watched">
          {(control) => (
            <select
              {...control}
              value={`${draft.subject}:${draft.measure}`}
              onChange={(event) => {
                const [subject, measure] = event.target.value.split(":") as [Subject, Measure];
                watch(subject, measure);
              }}
            >
              {WATCHED.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field
          name="search"
          label={draft.isRaw ? "Filter, as the API has it" : "Only those with"}
          hint={draft.isRaw ? "No search of the box says the same." : <SearchHint draft={draft} onChoose={type} />}
          problem={problem}
        >
          {(control) => <input {...control} className="data" spellCheck={false} autoComplete="off" value={draft.search} onChange={(event) => type(event.target.value)} />}
        </Field>
        <div className={styles.row}>
          <Field name="comparison" label="It is">
            {(control) => (
              <select {...control} value={draft.comparison} onChange={(event) => set({ comparison: event.target.value as Draft["comparison"] })}>
                <option value="above">above</option>
                <option value="below">below</option>
              </select>
            )}
          </Field>
          <Field name="threshold" label={`Threshold${unit}`}>
            {(control) => <input {...control} inputMode="decimal" required value={draft.threshold} onChange={(event) => set({ threshold: event.target.value })} />}
          </Field>
          <Seconds name="period" label="In the last" value={draft.period} options={PERIODS} onChange={(period) => set({ period })} />
        </div>
        <div className={styles.row}>
          <Seconds name="fireAfter" label="Fires after" none="at once" value={draft.fireAfter} options={LASTING} onChange={(fireAfter) => set({ fireAfter })} />
          <Seconds name="resolveAfter" label="Is over after" none="at once" value={draft.resolveAfter} options={LASTING} onChange={(resolveAfter) => set({ resolveAfter })} />
        </div>
        <Webhook draft={draft} before={rule?.webhook ?? null} set={set} />
        <InWords draft={draft} before={rule?.webhook ?? null} isAskable={problem === null} />
        <FormProblem />
        <FormActions onCancel={onClose}>{rule ? "Save" : "Create"}</FormActions>
      </Form>
    </Dialog>
  );
}

const HINTS: Record<Subject, string> = {
  logs: "As in the search of the logs: level:error source:API “disk full”. Empty for all.",
  requests: "As in the search of the requests: status:5xx path:/orders*. Empty for all.",
  metrics: "As in the search of the metrics: endpoint:*checkout*. Empty for all.",
};

/** An example, or the form that windows have for a route: they know endpoints only. */
function SearchHint({ draft: { subject, search }, onChoose }: { draft: Draft; onChoose: (search: string) => void }) {
  const endpoint = subject === "metrics" ? withEndpoint(search) : search;
  if (endpoint === search) return HINTS[subject];
  return (
    <>
      Here a route is part of an endpoint:{" "}
      <button type="button" onClick={() => onChoose(endpoint)}>
        Use <bdi className="data">{shortLine(endpoint, 60)}</bdi>
      </button>
    </>
  );
}

/** What is wrong with the search, as its box says it. */
function searchProblem({ search, subject }: Draft): string | null {
  const { terms, words } = parse(search, subject);
  const wrong = terms.find((term) => term.problem !== null)?.problem;
  if (wrong) return wrong.instead === null ? wrong.text : `${wrong.text} Did you mean ${wrong.instead}?`;
  const other = terms.find((term) => term.isOfAnotherModel);
  if (other) return `${search.slice(other.start, other.end)} is no filter of ${subject}.`;
  return subject === "metrics" && words !== "" ? "Endpoints are found by filters, such as endpoint:*checkout*." : null;
}

interface SecondsProps {
  name: string;
  label: string;
  value: number;
  options: number[];
  /** What zero is called. */
  none?: string;
  onChange: (value: number) => void;
}

function Seconds({ name, label, value, options, none, onChange }: SecondsProps) {
  // A rule that was made elsewhere may have any value.
  const all = options.includes(value) ? options : [...options, value].sort((a, b) => a - b);
  return (
    <Field name={name} label={label}>
      {(control) => (
        <select {...control} value={value} onChange={(event) => onChange(Number(event.target.value))}>
          {all.map((option) => (
            <option key={option} value={option}>
              {option === 0 && none !== undefined ? none : seconds(option)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface WebhookProps {
  draft: Draft;
  /** The webhook that the rule has, without its path. */
  before: string | null;
  set: (changed: Partial<Draft>) => void;
}

function Webhook({ draft, before, set }: WebhookProps) {
  return (
    <>
      <label className={styles.check}>
        <input type="checkbox" checked={draft.hasWebhook} onChange={(event) => set({ hasWebhook: event.target.checked })} />
        Call a webhook
      </label>
      {draft.hasWebhook && (
        <Field name="webhook" label="Address" hint={before === null ? "It gets a POST with JSON, in which chat programs such as Slack find a text to show. Once saved, only its host is shown." : `Empty keeps ${before}`}>
          {(control) => (
            <input
              {...control}
              type="url"
              autoComplete="off"
              required={before === null}
              placeholder="https://hooks.example.com/…"
              value={draft.webhook}
              onChange={(event) => set({ webhook: event.target.value })}
            />
          )}
        </Field>
      )}
    </>
  );
}

function InWords({ draft, before, isAskable }: { draft: Draft; before: string | null; isAskable: boolean }) {
  const webhook = draft.hasWebhook ? draft.webhook.trim() || (before ?? "…") : null;
  const said = useDeferredValue(saidOf(draft, webhook));
  const settled = useSettled(draft, 400);
  const now = useValueNow(settled, isAskable && settled === draft);
  return (
    <div className={styles.words} aria-live="polite">
      <p>
        <bdi>{Number.isNaN(said.threshold) ? "…" : withoutCodes(ruleInWords(said))}</bdi>
      </p>
      <p className="quiet small">
        <bdi>{endInWords(said)}</bdi>
        {isAskable && now.data !== undefined && ` ${now.data === null ? "Nothing is measured now: no such requests in this time." : `Now it is ${valueInWords(draft.measure, now.data)}.`}`}
      </p>
    </div>
  );
}

/** A rule of alerts as the API has it, and as it is typed in. */
import type { AlertRule } from "../../api/client";
import { quote } from "../../query/lex";
import { parse } from "../../query/parse";
import type { Model } from "../../query/parse";
import { typedOf } from "../../query/typed";

export type Rule = AlertRule & {
  condition: string;
  /** The address that is notified, without its path. */
  webhook: string | null;
  status: { state: "ok" | "pending" | "firing" | "resolving"; since: string | null; value: number | null; evaluated_at: string | null; problem: string | null };
};

/** Whether the server has looked at least once: until then it says `ok` of a rule, which is no finding. */
export function isMeasured({ status }: { status: Pick<Rule["status"], "state" | "evaluated_at" | "problem"> }): boolean {
  return status.evaluated_at !== null || status.problem !== null || status.state !== "ok";
}

export type Subject = AlertRule["subject"];
export type Measure = AlertRule["measure"];

/** What is typed in. */
export interface Draft {
  name: string;
  subject: Subject;
  measure: Measure;
  /** A text as of the search box, or the filter as the API has it if no such text says the same. */
  search: string;
  isRaw: boolean;
  comparison: AlertRule["comparison"];
  /** In the unit that is shown: error rates in percent. */
  threshold: string;
  period: number;
  fireAfter: number;
  resolveAfter: number;
  /** An empty one keeps the webhook of before. */
  webhook: string;
  hasWebhook: boolean;
}

export const NEW_RULE: Draft = {
  name: "",
  subject: "logs",
  measure: "count",
  search: "level:error",
  isRaw: false,
  comparison: "above",
  threshold: "5",
  period: 300,
  fireAfter: 0,
  resolveAfter: 60,
  webhook: "",
  hasWebhook: true,
};

export function draftOf(rule: Rule): Draft {
  const search = searchOf(rule.filter ?? "", rule.subject);
  return {
    name: rule.name,
    subject: rule.subject,
    measure: rule.measure,
    search: search ?? rule.filter ?? "",
    isRaw: search === null,
    comparison: rule.comparison,
    threshold: String(shownThreshold(rule.measure, Number(rule.threshold))),
    period: rule.period,
    fireAfter: rule.fire_after,
    resolveAfter: rule.resolve_after,
    webhook: "",
    hasWebhook: rule.webhook !== null,
  };
}

/** Error rates are from 0 to 1, and shown in percent, without the noise of the last digits. */
function shownThreshold(measure: Measure, threshold: number): number {
  return measure === "error_rate" ? Number((threshold * 100).toPrecision(12)) : threshold;
}

export function thresholdOf({ measure, threshold }: Pick<Draft, "measure" | "threshold">): number {
  if (threshold.trim() === "") return NaN;
  const typed = Number(threshold);
  return measure === "error_rate" ? Number((typed / 100).toPrecision(12)) : typed;
}

/** The parameters of a filter. */
export type Pairs = [name: string, value: string][];

export function pairsOf(draft: Pick<Draft, "search" | "subject" | "isRaw">): Pairs {
  if (draft.isRaw) return [...new URLSearchParams(draft.search)];
  const { filters, words } = parse(draft.search, draft.subject);
  return words === "" ? filters : [...filters, ["match", words]];
}

/** The filter as the API has it. */
export function filterOf(draft: Pick<Draft, "search" | "subject" | "isRaw">): string | null {
  if (draft.isRaw) return draft.search.trim() || null;
  const pairs = pairsOf(draft);
  return pairs.length === 0 ? null : new URLSearchParams(pairs).toString();
}

/** The text of the search box that is the same as a filter, or null if there is none. */
export function searchOf(filter: string, model: Model): string | null {
  return typedOf([...new URLSearchParams(filter)], model);
}

/** The search that shows what a rule looks at; a group that no text says stays in the form of the API. */
export function searchOfFilter(filter: string, model: Model): string {
  return searchOf(filter, model) ?? [...new URLSearchParams(filter)].map(([name, value]) => (name === "match" ? value : `${name}=${/[\s"]/.test(value) ? quote(value) : value}`)).join(" ");
}

/** The parameters of a view that shows what a rule looks at: rules count the calls that the application sent, too. */
export function recordsOf({ filter, subject }: Pick<Rule, "filter" | "subject">): Record<string, string> {
  return { q: searchOfFilter(filter ?? "", subject), ...(subject === "requests" ? { outgoing: "1" } : {}) };
}

/** What is sent for a draft; an empty webhook of a rule that has one stays out. */
export function bodyOf(draft: Draft): Record<string, unknown> {
  return {
    name: draft.name,
    subject: draft.subject,
    measure: draft.measure,
    filter: filterOf(draft),
    comparison: draft.comparison,
    threshold: thresholdOf(draft),
    period: draft.period,
    fire_after: draft.fireAfter,
    resolve_after: draft.resolveAfter,
    ...(draft.hasWebhook ? (draft.webhook.trim() === "" ? {} : { webhook_url: draft.webhook.trim() }) : { webhook_url: null }),
  };
}

/** Says a rule in words: "When more than 5 log lines with level error come in 5 minutes, call …". */
import { globOf } from "../../query/typed";
import { count, duration, percent } from "../../time/format";
import type { Measure, Pairs, Subject } from "./rule";

export interface Said {
  subject: Subject;
  measure: Measure;
  pairs: Pairs;
  comparison: "above" | "below";
  /** As the API has it. */
  threshold: number;
  period: number;
  fireAfter: number;
  resolveAfter: number;
  /** What is called, or null if changes are only noted. */
  webhook: string | null;
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });

export function ruleInWords(rule: Said): string {
  const lasting = rule.fireAfter > 0 ? `, and it stays so for ${seconds(rule.fireAfter)}` : "";
  const then = rule.webhook === null ? "note it here" : `call ${rule.webhook}`;
  return `When ${conditionInWords(rule)}${lasting}, ${then}${then.endsWith("…") ? "" : "."}`;
}

/** What is measured, as everywhere: rates in percent, latencies as durations, counts. */
export function valueInWords(measure: string, value: number | null): string {
  if (value === null) return "–";
  if (measure === "error_rate") return percent(value);
  return measure.endsWith("latency") ? duration(value) : count(value);
}

interface Changed {
  message: string;
  payload: unknown;
}

/** The message of a change, in which older servers wrote numbers as they were computed. */
export function messageInWords({ message, payload }: Changed): string {
  const { measure, threshold, value } = (payload ?? {}) as { measure?: unknown; threshold?: unknown; value?: unknown };
  if (typeof measure !== "string" || typeof threshold !== "number") return message;
  const limit = valueInWords(measure, threshold);
  // A name that others chose stands before it.
  const end = message.lastIndexOf(" in the last ");
  if (end < 0) return message;
  let said = message.slice(end);
  if (typeof value === "number") said = said.replace(`: ${String(value)} (`, `: ${valueInWords(measure, value)} (`);
  return message.slice(0, end).replace(/ latency \(ms\)$/, " latency") + said.replace(/([<>]) (\d[\d.e-]*)\)$/, (all, sign: string, number: string) => (Number(number) === threshold ? `${sign} ${limit})` : all));
}

/** When it is over. */
export function endInWords(rule: Pick<Said, "resolveAfter" | "webhook">): string {
  const then = rule.webhook === null ? "note that it is resolved" : "call again";
  return rule.resolveAfter > 0 ? `When that has not been so for ${seconds(rule.resolveAfter)}, ${then}.` : `As soon as that is not so, ${then}.`;
}

/** What has to be so for it: `the error rate is above 5 % over 5 minutes`. */
export function conditionInWords(rule: Said): string {
  const { measure, comparison, threshold } = rule;
  const time = seconds(rule.period);
  const where = rule.pairs.length === 0 ? "" : ` ${conditions(rule.pairs)}`;
  switch (measure) {
    case "count":
      return come(rule, rule.subject === "logs" ? ["log line", "log lines"] : ["request", "requests"], where, time);
    case "new_patterns": {
      const of = rule.subject === "logs" ? "log lines" : "requests";
      return come(rule, [`new pattern of ${of}`, `new patterns of ${of}`], where, time);
    }
    case "traffic_count":
      return `${comparison === "above" ? "more" : "fewer"} than ${NUMBER.format(threshold)} requests${where} are counted in ${time}`;
    case "error_rate":
      return `the error rate${of(where)} is ${comparison} ${NUMBER.format(threshold * 100)}\u00a0% over ${time}`;
    default:
      return `the ${measure.replace("_", " ")}${of(where)} is ${comparison} ${NUMBER.format(threshold)}\u00a0ms over ${time}`;
  }
}

function of(where: string): string {
  return where === "" ? "" : ` of endpoints${where}`;
}

function come({ comparison, threshold }: Said, [one, many]: [string, string], where: string, time: string): string {
  if (comparison === "above" && threshold === 0) return `any ${one}${where} comes in ${time}`;
  if (comparison === "below" && threshold === 1) return `no ${one}${where} comes in ${time}`;
  if (comparison === "above" && threshold === 1) return `more than 1 ${one}${where} comes in ${time}`;
  return `${comparison === "above" ? "more" : "fewer"} than ${NUMBER.format(threshold)} ${many}${where} come in ${time}`;
}

/** `with level error and source API and the words “disk full”`. */
function conditions(pairs: Pairs): string {
  return `with ${pairs.map(([name, value]) => pairInWords(name, value)).join(" and ")}`;
}

const LOOKUPS: Record<string, (field: string, value: string) => string> = {
  ne: (field, value) => `${field} not ${value}`,
  in: (field, value) => `${field} ${value.split(",").join(" or ")}`,
  notin: (field, value) => `${field} not ${value.split(",").join(" or ")}`,
  gt: (field, value) => `${field} above ${value}`,
  gte: (field, value) => `${field} of ${value} or more`,
  lt: (field, value) => `${field} below ${value}`,
  lte: (field, value) => `${field} of ${value} or less`,
  between: (field, value) => `${field} ${value.replace(",", " to ")}`,
  notbetween: (field, value) => `${field} not ${value.replace(",", " to ")}`,
  like: (field, value) => `${field} ${globOf(value) ?? `like ${value}`}`,
  ilike: (field, value) => `${field} ${globOf(value) ?? `like ${value}`}`,
  notlike: (field, value) => `${field} not ${globOf(value) ?? `like ${value}`}`,
  notilike: (field, value) => `${field} not ${globOf(value) ?? `like ${value}`}`,
  contains: (field, value) => `“${value}” in ${field}`,
  icontains: (field, value) => `“${value}” in ${field}`,
  startswith: (field, value) => `${field} beginning with ${value}`,
  endswith: (field, value) => `${field} ending with ${value}`,
  isnull: (field) => `no ${field}`,
  isnotnull: (field) => `any ${field}`,
};

/** The most characters of a value that are said. */
const MOST = 80;

function pairInWords(name: string, long: string): string {
  const value = long.length > MOST ? `${long.slice(0, MOST)}…` : long;
  // Groups, such as `or(level=error,level=warn)`, stay as they are.
  if (!/^[\w.[\]-]+$/.test(name)) return `${name}=${value}`;
  if (name === "match") return `${value.includes(" ") ? "the words" : "the word"} ${value.includes('"') ? value : `“${value}”`}`;
  const at = name.lastIndexOf("__");
  if (at < 0) return `${name} ${value}`;
  const say = LOOKUPS[name.slice(at + 2)];
  return say ? say(name.slice(0, at), value) : `${name}=${value}`;
}

/** `5 minutes`, `1 hour`, `90 seconds`. */
export function seconds(value: number): string {
  const [amount, unit] = value % 86_400 === 0 && value > 0 ? [value / 86_400, "day"] : value % 3600 === 0 && value > 0 ? [value / 3600, "hour"] : value % 60 === 0 && value > 0 ? [value / 60, "minute"] : [value, "second"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}

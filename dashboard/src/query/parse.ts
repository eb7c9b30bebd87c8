/**
 * What is typed into the search box: words, "phrases", -exclusions, and filters, which are those of
 * the API said shorter.
 *
 *     payment timeout level:error status:5xx duration:>500 -source:API meta.user.id:42
 *     level__in=warn,error                      as in the API and on the command line
 */
import fields from "../api/fields.json";

export type Model = "logs" | "requests" | "metrics";

/** A field of a model: its type, and its values where these are few. */
export interface Field {
  type: string;
  values: string[];
}

export const FIELDS = fields as unknown as Record<Model, Record<string, Field>>;

/** Shorter names of fields. */
export const ALIASES: Record<Model, Record<string, string>> = {
  logs: { trace: "trace_id", time: "created_at" },
  requests: { status: "status_code", trace: "trace_id", user: "user_id", country: "geo_country", city: "geo_city", region: "geo_region", time: "timestamp", ms: "duration" },
  metrics: { p50: "p50_latency", p95: "p95_latency", p99: "p99_latency", errors: "error_rate", count: "traffic_count" },
};

/** Fields whose paths are filters, too: `meta.user.id:42`. */
export const JSON_FIELDS: Record<Model, string[]> = {
  logs: ["meta"],
  requests: ["body", "headers", "query", "response_body", "response_headers"],
  metrics: [],
};

/** A part of the text. */
export interface Term {
  /** Where it stands in the text. */
  start: number;
  end: number;
  kind: "word" | "filter";
  isExcluded: boolean;
  /** What is sent: a parameter of the API, or a part of the words. */
  parameter: [name: string, value: string] | null;
  word: string;
  /** Why it is not sent, and what could stand there instead. */
  problem: { text: string; instead: string | null } | null;
  /** Set if another model has the field: the term waits for its views. */
  isOfAnotherModel: boolean;
}

export interface Query {
  terms: Term[];
  /** Parameters of the API. */
  filters: [name: string, value: string][];
  /** The words, phrases and exclusions, for `search` or `match`. */
  words: string;
  problems: Term[];
}

const TERM = /-?(?:[A-Za-z_][\w.[\]-]*(?:>=|<=|:|=|>|<))?(?:"(?:[^"\\]|\\.)*"?|[^\s"]+)+|-?"(?:[^"\\]|\\.)*"?|\S+/g;
const FILTER = /^(-?)([A-Za-z_][\w.[\]-]*?)(__[a-z]+)?(:|=|>=|<=|>|<)(.*)$/s;

/** Reads a text as words and filters of a model. */
export function parse(text: string, model: Model): Query {
  const terms = [...text.matchAll(TERM)].map((match) => readTerm(match[0], match.index, model));
  return {
    terms,
    filters: terms.flatMap((term) => (term.parameter ? [term.parameter] : [])),
    words: terms
      .filter((term) => term.kind === "word")
      .map((term) => term.word)
      .join(" "),
    problems: terms.filter((term) => term.problem !== null),
  };
}

function readTerm(text: string, start: number, model: Model): Term {
  const term: Term = { start, end: start + text.length, kind: "word", isExcluded: text.startsWith("-"), parameter: null, word: text, problem: null, isOfAnotherModel: false };
  const parts = FILTER.exec(text);
  if (!parts) return term;
  const [, minus = "", name = "", lookup = "", sign = "", value = ""] = parts;
  const field = fieldOf(name, model);
  if (field === null) {
    // `http://…`, `12:30` and `error:` are words, and so is what looks like no field of any model.
    if (sign === "=" || (Object.keys(FIELDS) as Model[]).some((other) => fieldOf(name, other) !== null)) {
      const other = (Object.keys(FIELDS) as Model[]).find((one) => fieldOf(name, one) !== null);
      if (other) return { ...term, kind: "filter", isOfAnotherModel: true };
    }
    const near = nearest(name, [...Object.keys(FIELDS[model]), ...Object.keys(ALIASES[model])]);
    if (near === null || value === "" || value.startsWith("//")) return term;
    return { ...term, kind: "filter", problem: { text: `There is no field ${name}.`, instead: `${minus}${near}${lookup}${sign}${value}` } };
  }
  const filter: Term = { ...term, kind: "filter" };
  if (value === "") return { ...filter, problem: { text: `${name} needs a value.`, instead: null } };
  if (lookup !== "") {
    if (minus) return { ...filter, problem: { text: "An exclusion is written with :", instead: null } };
    return { ...filter, parameter: [`${field}${lookup}`, unquote(value)] };
  }
  const read = readValue(field, sign, value, minus !== "", model);
  return typeof read === "string" ? { ...filter, problem: { text: read, instead: null } } : { ...filter, parameter: read };
}

/** The name of a field in the API, or null if a model has none of this name. */
export function fieldOf(name: string, model: Model): string | null {
  const known = ALIASES[model][name] ?? name;
  if (known in FIELDS[model]) return known === "match" ? null : known;
  const root = known.split(/[.[]/, 1)[0] ?? "";
  return known !== root && JSON_FIELDS[model].includes(root) ? known : null;
}

function readValue(field: string, sign: string, raw: string, isExcluded: boolean, model: Model): [string, string] | string {
  const type = FIELDS[model][field]?.type ?? "json";
  const isQuoted = raw.startsWith('"');
  let value = unquote(raw);
  if (sign !== ":" && sign !== "=") {
    const lookup = { ">": "gt", ">=": "gte", "<": "lt", "<=": "lte" }[sign] ?? "eq";
    return compare(field, lookup, value, isExcluded, type);
  }
  if (isQuoted) return [isExcluded ? `${field}__ne` : field, value];
  const sized = /^(>=|<=|>|<)(.+)$/s.exec(value);
  if (sized) return readValue(field, sized[1] ?? "", sized[2] ?? "", isExcluded, model);
  if (field === "status_code" && /^[1-5]xx$/i.test(value)) {
    const first = Number(value[0]) * 100;
    return [isExcluded ? "status_code__notbetween" : "status_code__between", `${first},${first + 99}`];
  }
  if (value === "null" || value === "none") return [isExcluded ? `${field}__isnotnull` : `${field}__isnull`, "true"];
  if (value === "*") return [isExcluded ? `${field}__isnull` : `${field}__isnotnull`, "true"];
  const span = /^(.+?)\.\.(.+)$/s.exec(value);
  if (span && type !== "string") return [isExcluded ? `${field}__notbetween` : `${field}__between`, `${span[1] ?? ""},${span[2] ?? ""}`];
  if (type === "integer" && value.split(",").some((part) => !/^-?\d+$/.test(part))) return `${field} is a whole number, such as ${field === "status_code" ? "502 or 5xx" : "500"}.`;
  const known = FIELDS[model][field]?.values ?? [];
  if (known.length > 0) {
    value = value.toLowerCase();
    const wrong = value.split(",").find((part) => !known.includes(part));
    if (wrong !== undefined) return `${field} is one of ${known.join(", ")}.`;
  }
  if (type === "string" && value.includes("*") && value.replaceAll("*", "") !== "") {
    const pattern = value.replace(/[\\%_]/g, (sign) => `\\${sign}`).replaceAll("*", "%");
    return [isExcluded ? `${field}__notilike` : `${field}__ilike`, pattern];
  }
  if (value.includes(",")) return [isExcluded ? `${field}__notin` : `${field}__in`, value];
  return [isExcluded ? `${field}__ne` : field, value];
}

function compare(field: string, lookup: string, value: string, isExcluded: boolean, type: string): [string, string] | string {
  if ((type === "integer" || type === "number") && Number.isNaN(Number(value))) return `${field} is a number.`;
  const opposite = { gt: "lte", gte: "lt", lt: "gte", lte: "gt" }[lookup] ?? lookup;
  return [`${field}__${isExcluded ? opposite : lookup}`, value];
}

function unquote(text: string): string {
  return text.startsWith('"') ? text.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1") : text;
}

/** The nearest of some names, if one is near: for `staus` it is `status`. */
export function nearest(name: string, names: string[]): string | null {
  const most = name.length <= 4 ? 1 : 2;
  let best: string | null = null;
  let least = most + 1;
  for (const other of names) {
    const steps = distance(name.toLowerCase(), other);
    if (steps < least) [best, least] = [other, steps];
  }
  return best;
}

function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 3;
}

/** Adds a filter for a value to a text, or takes its opposite away. */
export function withFilter(text: string, field: string, value: string | number | boolean | null, isExcluded = false): string {
  const said = value === null ? "null" : String(value);
  const quoted = value !== null && (said === "" || /[\s",*]|^(null|none|[<>])|\.\./.test(said)) ? `"${said.replace(/["\\]/g, "\\$&")}"` : said;
  const term = `${field}:${quoted}`;
  const parts = [...text.matchAll(TERM)].map((match) => match[0]);
  const kept = parts.filter((part) => part !== term && part !== `-${term}`);
  return [...kept, isExcluded ? `-${term}` : term].join(" ");
}

/** Takes a term out of a text. */
export function withoutTerm(text: string, term: Pick<Term, "start" | "end">): string {
  return `${text.slice(0, term.start)} ${text.slice(term.end)}`.replace(/\s+/g, " ").trim();
}

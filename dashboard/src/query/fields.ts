/** The fields of the models: their types, their values where these are few, and what they are. */
import fields from "../api/fields.json";

export type Model = "logs" | "requests" | "metrics";

export interface Field {
  type: "string" | "integer" | "number" | "date-time";
  values: string[];
  lookups: string[];
}

export const FIELDS = fields as unknown as Record<Model, Record<string, Field>>;
export const MODELS: Model[] = ["logs", "requests", "metrics"];

/** Other names of fields: shorter ones, and those that a search of the API knows, too. */
export const ALIASES: Record<Model, Record<string, string>> = {
  logs: { trace: "trace_id", time: "created_at", timestamp: "created_at", date: "created_at", ts: "created_at", msg: "message", severity: "level" },
  requests: {
    status: "status_code",
    trace: "trace_id",
    user: "user_id",
    country: "geo_country",
    city: "geo_city",
    region: "geo_region",
    time: "timestamp",
    date: "timestamp",
    ts: "timestamp",
    ms: "duration",
    route: "headers.route",
    direction: "headers.direction",
  },
  metrics: {
    p50: "p50_latency",
    p95: "p95_latency",
    p99: "p99_latency",
    errors: "error_rate",
    count: "traffic_count",
    time: "window_start",
    timestamp: "window_start",
    date: "window_start",
    ts: "window_start",
  },
};

/** Fields whose paths are filters, too: `meta.user.id:42`. */
export const JSON_FIELDS: Record<Model, string[]> = {
  logs: ["meta"],
  requests: ["body", "headers", "query", "response_body", "response_headers"],
  metrics: [],
};

/** Fields that the API has, and that nobody types: a search is its own words, a sketch has no text. */
const HIDDEN = ["match", "latency_sketch"];

/** The fields that are offered while one types, in this order, by the name that one types. */
export const OFFERED: Record<Model, [name: string, description: string][]> = {
  logs: [
    ["level", "debug, info, warn or error"],
    ["source", "what wrote the line; *pay* finds a part of it"],
    ["message", "contains a text"],
    ["meta.", "a value of the line's fields"],
    ["trace", "the trace that the line belongs to"],
    ["time", "when it was written"],
    ["id", "the number of the line"],
  ],
  requests: [
    ["status", "status code or class, such as 404 or 5xx"],
    ["method", "GET, POST …"],
    ["path", "path; * stands for any text"],
    ["route", "route, such as /orders/{id}"],
    ["duration", "milliseconds, such as >500"],
    ["user", "who asked"],
    ["stage", "where it ran, such as prod"],
    ["version", "version of the program"],
    ["country", "two letters, such as DE"],
    ["region", "region of the client"],
    ["city", "city of the client"],
    ["trace", "the trace that the request belongs to"],
    ["time", "when it came"],
    ["direction", "outgoing: sent by the application itself"],
    ["headers.", "a header of the request"],
    ["query.", "a parameter of the address"],
    ["body.", "a value of the request's body"],
    ["response_headers.", "a header of the response"],
    ["response_body.", "a value of the response's body"],
    ["geo_source", "how the place is known"],
    ["id", "the number of the request"],
  ],
  metrics: [
    ["endpoint", "method and route, such as GET /orders"],
    ["errors", "share of failed requests, such as >5%"],
    ["count", "requests in the minute"],
    ["p50", "median latency in milliseconds"],
    ["p95", "95th percentile of the latency in milliseconds"],
    ["p99", "99th percentile of the latency in milliseconds"],
    ["request_size", "bytes of the requests"],
    ["response_size", "bytes of the responses"],
    ["time", "when the minute began"],
  ],
};

/** The name of a field in the API, or null if a model has none of this name. Names ignore case. */
export function fieldOf(name: string, model: Model): string | null {
  const root = /^[^.["]*/.exec(name)?.[0] ?? "";
  const lower = root.toLowerCase();
  const known = Object.hasOwn(ALIASES[model], lower) ? (ALIASES[model][lower] ?? lower) : lower;
  const path = name.slice(root.length);
  // Another name of a place in JSON is the whole of it.
  if (isJsonPath(known)) return path === "" ? known : null;
  if (!Object.hasOwn(FIELDS[model], known) || HIDDEN.includes(known)) return null;
  if (path === "") return known;
  return JSON_FIELDS[model].includes(known) && path !== "." ? `${known}${path}` : null;
}

/** Another model that has a field of this name, if the first has none. */
export function otherModelOf(name: string, model: Model): Model | null {
  return MODELS.find((one) => one !== model && fieldOf(name, one) !== null) ?? null;
}

export function isJsonPath(field: string): boolean {
  return /[.["]/.test(field);
}

/** The type of a field, or of a place in JSON. */
export function typeOf(field: string, model: Model): Field["type"] | "json" {
  if (isJsonPath(field) || JSON_FIELDS[model].includes(field)) return "json";
  return FIELDS[model][field]?.type ?? "string";
}

const JSON_LOOKUPS = ["exists", "is", "isnot", "arraycontains", "arraycontained", "arrayoverlaps"];

/** The lookups that a field takes. */
export function lookupsOf(field: string, model: Model): string[] {
  return isJsonPath(field) ? [...(FIELDS.logs["message"]?.lookups ?? []), ...JSON_LOOKUPS] : (FIELDS[model][field]?.lookups ?? []);
}

/** The path of a key below a place in JSON, as filters name it. */
export function pathWith(path: string, key: string): string {
  const isPlain = /^(?!.*__)[\p{L}_$][\p{L}\p{N}_$-]*$|^\d+$/u.test(key);
  const part = isPlain ? key : `"${key.replace(/["\\]/g, "\\$&")}"`;
  return path === "" ? part : `${path}.${part}`;
}

/** The names by which a model's fields are known. */
export function namesOf(model: Model): string[] {
  return [...Object.keys(FIELDS[model]).filter((one) => fieldOf(one, model)), ...Object.keys(ALIASES[model])];
}

/** A field of lines or requests that was probably meant; a letter off, since a guess among all of them is often wrong. */
export function nearestOfOthers(name: string, model: Model): { model: Model; name: string } | null {
  for (const other of ["requests", "logs"] as const) {
    const near = other === model ? null : nearest(name, namesOf(other), 1);
    if (near !== null) return { model: other, name: near };
  }
  return null;
}

/** The nearest of some names, if one is near: for `staus` it is `status`. */
export function nearest(name: string, names: readonly string[], most = name.length <= 4 ? 1 : 2): string | null {
  let best: string | null = null;
  let least = most + 1;
  for (const other of names) {
    const steps = distance(name.toLowerCase(), other);
    if (steps < least) [best, least] = [other, steps];
  }
  return best;
}

/** How many letters to change, add, remove or swap with their neighbour. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1), isSwap ? (before[j - 2] ?? 0) + 1 : Infinity),
      );
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 3;
}

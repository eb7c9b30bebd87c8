/** What may be typed at the caret: fields, lookups, values, and keys of JSON. */
import { cutEnd } from "../parts/text";
import { FIELDS, JSON_FIELDS, OFFERED, fieldOf, isJsonPath, lookupsOf, pathWith, typeOf } from "./fields";
import type { Model } from "./fields";
import { valueFor } from "./edit";
import { lex } from "./lex";
import { widerForm } from "./terms";

/** What is being typed, and the part of the text that a completion replaces. */
export interface Place {
  kind: "field" | "lookup" | "value" | "key";
  start: number;
  end: number;
  prefix: string;
  /** The field of a value or lookup, and the root of a key, as the API names it. */
  field: string;
}

/** A value that is there, and how often. */
export interface KnownValue {
  value: string | number | boolean | null;
  count: number;
}

export interface Suggestion {
  /** What takes the place of the part. */
  insert: string;
  label: string;
  note: string;
  /** Whether the term is done with it, so that a blank follows. */
  isWhole: boolean;
}

const MOST = 12;
/** Fewer letters are a part of nearly everything. */
const SHORTEST_PART = 2;

/** What stands at the caret, or null where nothing can be completed. */
export function placeAt(text: string, caret: number, model: Model): Place | null {
  const end = caret + (/^[^\s,"]*/.exec(text.slice(caret))?.[0].length ?? 0);
  const token = lex(text.slice(0, caret)).at(-1);
  if (!token || token.end < caret) {
    const isOpen = token?.kind === "filter" && !token.isWhole;
    return isOpen ? null : { kind: "field", start: caret, end: caret, prefix: "", field: "" };
  }
  if (token.kind === "filter") {
    const field = fieldOf(token.name, model);
    const piece = token.pieces.at(-1);
    // The quote behind the caret is that of the value.
    const past = piece?.isQuoted === true && !token.isWhole && text[end] === '"' ? end + 1 : end;
    return field === null || !piece ? null : { kind: "value", start: piece.start, end: past, prefix: piece.text, field };
  }
  if (token.kind !== "word") return null;
  const typed = /^-?([A-Za-z_]\w*)(.*)$/s.exec(token.text);
  if (!typed) return token.text === "-" ? { kind: "field", start: caret, end, prefix: "", field: "" } : null;
  const start = token.start + (token.hasMinus ? 1 : 0);
  const [, name = "", path = ""] = typed;
  const lookup = /^(.+?)__([a-z]*)$/.exec(`${name}${path}`);
  const lookedUp = lookup?.[1] === undefined ? null : fieldOf(lookup[1], model);
  if (lookup && lookedUp !== null) return { kind: "lookup", start: caret - (lookup[2] ?? "").length, end, prefix: lookup[2] ?? "", field: lookedUp };
  if (path === "") return { kind: "field", start, end, prefix: name, field: "" };
  const root = path.startsWith(".") ? fieldOf(name, model) : null;
  return root !== null && JSON_FIELDS[model].includes(root) ? { kind: "key", start, end, prefix: `${root}${path}`, field: root } : null;
}

/** The suggestions at a place, the best first. */
export function suggest(place: Place, model: Model, known: { values: readonly KnownValue[]; paths: readonly [path: string, example: unknown][] }): Suggestion[] {
  switch (place.kind) {
    case "field":
      return fieldsFor(place.prefix, model);
    case "lookup":
      return Object.entries(LOOKUPS)
        .filter(([lookup]) => lookup.startsWith(place.prefix) && lookupsOf(place.field, model).includes(lookup))
        .map(([lookup, note]) => ({ insert: `${lookup}=`, label: lookup, note, isWhole: false }));
    case "key":
      return best(known.paths, place.prefix, ([path]) => path).map(([path, example]) => ({ insert: `${path}:`, label: path, note: exampleOf(example), isWhole: false }));
    case "value":
      return valuesFor(place, model, known.values);
  }
}

function fieldsFor(prefix: string, model: Model): Suggestion[] {
  return best(OFFERED[model], prefix, ([name]) => name).map(([name, description]) => {
    const isRoot = name.endsWith(".");
    const type = isRoot ? "JSON" : TYPES[typeOf(fieldOf(name, model) ?? name, model)];
    return { insert: isRoot ? name : `${name}:`, label: name, note: `${type ?? ""} · ${description}`, isWhole: false };
  });
}

const TYPES: Record<string, string> = { string: "text", integer: "number", number: "number", "date-time": "time", json: "JSON" };

const LOOKUPS: Record<string, string> = {
  eq: "is",
  ne: "is not",
  gt: "greater than",
  gte: "at least",
  lt: "less than",
  lte: "at most",
  in: "one of a,b",
  between: "from,to",
  notbetween: "not from,to",
  notin: "none of a,b",
  isnull: "true: has no value",
  isnotnull: "true: has a value",
  like: "pattern: % any text, _ one character",
  notlike: "not of a pattern",
  ilike: "pattern, in any case",
  notilike: "not of a pattern, in any case",
  startswith: "starts with",
  endswith: "ends with",
  contains: "contains",
  istartswith: "starts with, in any case",
  iendswith: "ends with, in any case",
  icontains: "contains, in any case",
  exists: "true: is there, even as null",
  is: "is of this type and value",
  isnot: "is not of this type and value",
  arraycontains: "list has all of a,b",
  arraycontained: "list has nothing but a,b",
  arrayoverlaps: "list has one of a,b",
};

/** What is typed often where the values do not say it. */
const IDIOMS: Record<string, [text: string, note: string][]> = {
  status_code: [
    ["5xx", "failed on the server's side"],
    ["4xx", "refused"],
    ["2xx", "succeeded"],
    ["3xx", "redirected"],
  ],
  duration: [
    [">500", "longer than 500 ms"],
    [">1s", "longer than a second"],
    ["100..500", "100 to 500 ms"],
  ],
  error_rate: [
    [">1%", "more than one in a hundred"],
    [">5%", "more than five in a hundred"],
  ],
};
const TIMES: [string, string][] = [
  [">-15m", "the last 15 minutes"],
  [">-1h", "the last hour"],
  ["today", "since midnight"],
  ["yesterday", "the day before today"],
];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

function valuesFor(place: Place, model: Model, known: readonly KnownValue[]): Suggestion[] {
  const { field, prefix } = place;
  const fixed = field === "method" ? METHODS : (FIELDS[model][field]?.values ?? []);
  const counts = new Map(known.map(({ value, count }) => [value, count]));
  const values = [...new Set([...fixed, ...known.map(({ value }) => value)])].filter((value) => String(value).length <= LONGEST_VALUE);
  const idioms = typeOf(field, model) === "date-time" ? TIMES : (IDIOMS[field] ?? []);
  const options: Suggestion[] = [
    ...idioms.map(([text, note]) => ({ insert: text, label: text, note, isWhole: true })),
    ...values.map((value) => {
      const count = counts.get(value);
      const insert = valueFor(field, value);
      return { insert, label: value === null ? "null" : String(value), note: value === null ? "no value" : count === undefined ? "" : `×${count.toLocaleString("en")}`, isWhole: true };
    }),
  ];
  // What is typed whole needs no suggestion.
  const found = best(options, prefix, (one) => one.label).filter((one) => one.label !== prefix || one.insert !== prefix);
  return [...found, ...containing(place, model)];
}

/** What is typed, as a part of a value. */
function containing({ field, prefix }: Place, model: Model): Suggestion[] {
  const form = prefix.length < SHORTEST_PART ? null : widerForm(`${field}:${prefix}`, model);
  if (form === null || !form.startsWith(`${field}:`)) return [];
  const insert = form.slice(field.length + 1);
  return [{ insert, label: insert, note: `contains ${prefix}`, isWhole: true }];
}

/** Those that begin with what is typed, then those that have it; in their order. */
function best<T>(all: readonly T[], typed: string, nameOf: (one: T) => string): T[] {
  const prefix = typed.toLowerCase();
  const places = all.map((one) => nameOf(one).toLowerCase().indexOf(prefix));
  return [...all.filter((_, index) => places[index] === 0), ...all.filter((_, index) => (places[index] ?? -1) > 0)].slice(0, MOST);
}

function exampleOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.length}]`;
  return value !== null && typeof value === "object" ? "{…}" : cutEnd(String(value), 40);
}

const MOST_PATHS = 500;
const DEEPEST = 6;
/** Longer keys and values are not typed by anybody. */
const LONGEST_KEY = 100;
const LONGEST_VALUE = 500;

/** The paths of values below a place in JSON, the most frequent first, each with an example. */
export function pathsOf(root: string, values: readonly unknown[]): [path: string, example: unknown][] {
  const found = new Map<string, { example: unknown; count: number }>();
  const visit = (value: unknown, path: string, depth: number): void => {
    if (value !== null && typeof value === "object" && !Array.isArray(value) && depth < DEEPEST) {
      for (const [key, part] of Object.entries(value).slice(0, 100)) if (key.length <= LONGEST_KEY) visit(part, pathWith(path, key), depth + 1);
    } else if (path !== root) {
      const before = found.get(path);
      if (before) before.count += 1;
      else if (found.size < MOST_PATHS) found.set(path, { example: value, count: 1 });
    }
  };
  for (const value of values) visit(value, root, 0);
  return [...found].toSorted(([, a], [, b]) => b.count - a.count).map(([path, { example }]) => [path, example]);
}

/** Whether values of a field are asked of the server: those of few values, and places in JSON. */
export function hasKnownValues(field: string): boolean {
  return isJsonPath(field) || ["source", "path", "user_id", "stage", "version", "geo_country", "geo_city", "geo_region", "method", "status_code", "endpoint", "level"].includes(field);
}

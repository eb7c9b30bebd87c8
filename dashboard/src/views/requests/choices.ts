/** Choosing values of a field in the text of a search: several at once, each of which can be taken away again. */
import { lex } from "../../query/lex";
import { fieldOf, parse, withFilter, withoutTerm } from "../../query/parse";
import type { Term } from "../../query/parse";

export type Value = string | number | null;

export interface Selection {
  included: Value[];
  excluded: Value[];
}

function termsOf(text: string, field: string): { term: Term; lookup: string; value: string }[] {
  return parse(text, "requests").terms.flatMap((term) => {
    const [name, lookup = ""] = term.parameter?.[0].split("__") ?? [];
    if (name === field && term.parameter) return [{ term, lookup, value: term.parameter[1] }];
    const grouped = groupedTerm(text, term, field);
    return grouped ? [{ term, ...grouped }] : [];
  });
}

/** A term whose values are groups of conditions, as those of a route, and not a condition of its field. */
function groupedTerm(text: string, term: Term, field: string): { lookup: string; value: string } | null {
  if (term.parameter === null || !["and", "or", "not"].includes(term.parameter[0])) return null;
  const token = lex(text).find(({ start }) => start === term.start);
  if (token?.kind !== "filter" || fieldOf(token.name, "requests") !== field || token.sign !== ":" || token.lookup !== "") return null;
  if (token.pieces.some((piece) => !piece.isQuoted && /^null$|\*/.test(piece.text))) return { lookup: "other", value: "" };
  const [first, ...more] = token.pieces;
  return more.length === 0 ? { lookup: token.hasMinus ? "ne" : "", value: first?.text ?? "" } : { lookup: token.hasMinus ? "notin" : "in", value: token.pieces.map((piece) => piece.text).join(",") };
}

/** The values of a field that a text asks for, and those that it excludes. */
export function selectionOf(text: string, field: string): Selection {
  const included: Value[] = [];
  const excluded: Value[] = [];
  for (const { lookup, value } of termsOf(text, field)) {
    if (lookup === "") included.push(value);
    else if (lookup === "in") included.push(...value.split(","));
    else if (lookup === "isnull") included.push(null);
    else if (lookup === "ne") excluded.push(value);
    else if (lookup === "notin") excluded.push(...value.split(","));
    else if (lookup === "isnotnull") excluded.push(null);
  }
  return { included, excluded };
}

/** A text without the filters of a field. */
export function withoutField(text: string, field: string): string {
  return termsOf(text, field).reduceRight((rest, { term }) => withoutTerm(rest, term), text);
}

/** Whether a value can stand in a list of values, which commas part. */
function isPlain(value: Value): value is string | number {
  return value !== null && /^[^\s",*<>]+$/.test(String(value)) && !/^(null|none)$|\.\./.test(String(value));
}

/** Chooses a value, or takes it away if it is chosen or excluded. `name` is how the text says the field. */
export function toggle(text: string, field: string, name: string, value: Value, isExcluded = false): string {
  const before = selectionOf(text, field);
  const isSame = (other: Value) => other === value || (value !== null && other === String(value));
  const rest = withoutField(text, field);
  const change = (list: Value[], isMine: boolean) => (list.some(isSame) ? list.filter((other) => !isSame(other)) : isMine ? [...list, value] : list);
  const included = change(before.included, !isExcluded && !before.excluded.some(isSame));
  const excluded = change(before.excluded, isExcluded && !before.included.some(isSame));
  return write(write(rest, name, included, false), name, excluded, true);
}

function write(text: string, name: string, values: Value[], isExcluded: boolean): string {
  if (values.length === 0) return text;
  if (values.length > 1 && values.every(isPlain)) return `${text} ${isExcluded ? "-" : ""}${name}:${values.join(",")}`.trim();
  // What cannot stand in a list is chosen alone; excluded, each has a filter of its own.
  return (isExcluded ? values : values.slice(-1)).reduce<string>((rest, value) => withFilter(rest, name, value, isExcluded), text);
}

export const CLASSES = [1, 2, 3, 4, 5] as const;

/** The classes of status codes that a text asks for; empty if it asks for none of them whole. */
export function classesOf(text: string): number[] {
  const terms = termsOf(text, "status_code");
  const spans = (lookup: string) => terms.filter((one) => one.lookup === lookup).map((one) => one.value.split(",").map(Number));
  const included = spans("between").filter(([from = 1, until = 1]) => from % 100 === 0 && until % 100 === 99);
  const excluded = spans("notbetween");
  if (included.length === 0) return [];
  const isIn = (one: number, [from = 0, until = 0]: number[]) => one * 100 >= from && one * 100 + 99 <= until;
  return CLASSES.filter((one) => included.every((span) => isIn(one, span)) && !excluded.some((span) => isIn(one, span)));
}

/** Chooses a class of status codes, or takes it away. Classes apart from each other are a span without what is between. */
export function toggleClass(text: string, one: number): string {
  const before = classesOf(text);
  const chosen = before.includes(one) ? before.filter((other) => other !== one) : [...before, one].sort();
  const rest = withoutField(text, "status_code");
  const [first] = chosen;
  const last = chosen.at(-1);
  if (first === undefined || last === undefined || chosen.length === CLASSES.length) return rest;
  const span = first === last ? `status:${first}xx` : `status:${first}00..${last}99`;
  const between = CLASSES.filter((other) => other > first && other < last && !chosen.includes(other)).map((other) => `-status:${other}xx`);
  return [rest, span, ...between].join(" ").trim();
}

/** Choosing values of a field in the text of a search: several at once, each of which can be taken away again. */
import { parse } from "./parse";
import type { Model, Term } from "./parse";
import { valueFor, withFilter, withoutTerm } from "./edit";
import type { Value } from "./edit";
import { fieldOf, isJsonPath } from "./fields";
import { lex, unquote } from "./lex";
import type { Token } from "./lex";

export type { Value } from "./edit";

/** The values that a search asks for, and those that it excludes; null is no value. */
export interface Picked {
  chosen: Value[];
  excluded: Value[];
}

type Side = "chosen" | "excluded";

/** How values that are picked stand among the parameters of the API. */
const LOOKUPS: Record<string, Side> = { "": "chosen", in: "chosen", isnull: "chosen", ne: "excluded", notin: "excluded", isnotnull: "excluded" };
const ITEM = /"(?:[^"\\]|\\.)*"|[^,]+/gs;

function readParameter([name, value]: [string, string], field: string): { side: Side; values: Value[] } | null {
  if (name !== field && !name.startsWith(`${field}__`)) return null;
  const lookup = name.slice(field.length + 2);
  const side = LOOKUPS[lookup];
  if (!side) return null;
  if (lookup === "isnull" || lookup === "isnotnull") return value === "true" ? { side, values: [null] } : null;
  const items = lookup === "in" || lookup === "notin" ? (value.match(ITEM) ?? []) : [value];
  return { side, values: items.map((one) => valueOf(one, isJsonPath(field))) };
}

/** A value as a parameter says it; at a place in JSON it has a type. */
function valueOf(text: string, isJson: boolean): Value {
  if (/^".*"$/s.test(text)) return unquote(text);
  if (!isJson) return text;
  if (text === "true" || text === "false") return text === "true";
  return text !== "" && String(Number(text)) === text ? Number(text) : text;
}

/** Values that are groups of conditions, as several of them and none: they are read as they were typed. */
function readGroup([name]: [string, string], token: Token | undefined, model: Model, field: string): { side: Side; values: Value[] } | null {
  if (!["and", "or", "not"].includes(name) || token?.kind !== "filter" || fieldOf(token.name, model) !== field) return null;
  if (token.sign !== ":" || token.lookup !== "" || token.pieces.some((piece) => piece.before === ".." || (!piece.isQuoted && piece.text.includes("*")))) return null;
  const values = token.pieces.map((piece): Value => (piece.isQuoted ? piece.text : /^(null|none)$/.test(piece.text) ? null : valueOf(piece.text, isJsonPath(field))));
  return { side: token.hasMinus ? "excluded" : "chosen", values };
}

/** The parts of a search that pick values of a field. */
function termsOf(text: string, model: Model, field: string): { term: Term; side: Side; values: Value[] }[] {
  const tokens = lex(text);
  return parse(text, model).terms.flatMap((term, index) => {
    const found = term.parameter && (readParameter(term.parameter, field) ?? readGroup(term.parameter, tokens[index], model, field));
    return found ? [{ term, ...found }] : [];
  });
}

/** The values of a field that a search asks for, and those that it excludes. */
export function pickedValues(text: string, model: Model, field: string): Picked {
  const picked: Picked = { chosen: [], excluded: [] };
  for (const { side, values } of termsOf(text, model, field)) picked[side].push(...values);
  return picked;
}

/** A search without what picks values of a field; a pattern of it stays. */
export function withoutPicked(text: string, model: Model, field: string): string {
  return termsOf(text, model, field).reduceRight((rest, { term }) => withoutTerm(rest, term), text);
}

/**
 * Asks for one value more of a field, or excludes it, or takes back what was said of it. `name` is how the text says
 * the field. What else the text says of the field, such as a pattern, stays.
 */
export function togglePicked(text: string, model: Model, field: string, value: Value, isExcluded: boolean, name = field): string {
  const terms = termsOf(text, model, field);
  const side: Side = isExcluded ? "excluded" : "chosen";
  const isSame = (other: Value) => other === value || (value !== null && other !== null && String(other) === String(value));
  const valuesOf = (one: Side) => terms.filter((term) => term.side === one).flatMap((term) => term.values);
  // A value that was excluded is let back in; one that was asked for and is not wanted any more is excluded.
  const isThere = valuesOf(side).some(isSame) || (side === "chosen" && valuesOf("excluded").some(isSame));
  const keptOf = (one: Side) => [...valuesOf(one).filter((other) => !isSame(other)), ...(one === side && !isThere ? [value] : [])];
  return write(write(withoutPicked(text, model, field), name, keptOf("chosen"), false), name, keptOf("excluded"), true);
}

/** Whether a value can stand in a list of values, which commas part. */
function isPlain(name: string, value: Value): boolean {
  return value !== null && valueFor(name, value) === String(value);
}

function write(text: string, name: string, values: Value[], isExcluded: boolean): string {
  if (values.length === 0) return text;
  if (values.length > 1 && values.every((value) => isPlain(name, value))) return `${text} ${isExcluded ? "-" : ""}${name}:${values.join(",")}`.trim();
  // What cannot stand in a list is chosen alone; excluded, each has a filter of its own.
  return (isExcluded ? values : values.slice(-1)).reduce<string>((rest, value) => withFilter(rest, name, value, isExcluded), text);
}

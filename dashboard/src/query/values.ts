/** What a filter asks for, as conditions of the API. */
import { condition, item, join, literal, not } from "./conditions";
import type { Condition, Node } from "./conditions";
import { FIELDS, isJsonPath, lookupsOf, nearest, typeOf } from "./fields";
import type { Model } from "./fields";
import { quote } from "./lex";
import { ROUTE_FIELD, ofRoute, pathsOf } from "./route";
import type { FilterToken, Piece } from "./lex";
import { isRelative, parseWhen } from "../time/when";

/** Why a filter cannot be sent, and the value that could stand there instead. */
export class Wrong extends Error {
  constructor(
    message: string,
    readonly instead: string | null = null,
  ) {
    super(message);
  }
}

interface Asked {
  field: string;
  /** As it was typed. */
  name: string;
  model: Model;
  type: ReturnType<typeof typeOf>;
  now: Date;
}

/** One value, or two with `..` between them; an end is null if it is open. */
type Item = { kind: "one"; piece: Piece } | { kind: "span"; from: Piece | null; until: Piece | null };

/** Reads the value of a filter; throws [`Wrong`]. */
export function readValue(token: FilterToken, field: string, model: Model, now: Date): Node {
  const asked: Asked = { field, name: token.name, model, type: typeOf(field, model), now };
  const node = read(token, asked);
  return token.hasMinus ? not(node) : node;
}

function read(token: FilterToken, asked: Asked): Node {
  const { field, name, type, model } = asked;
  if (!token.isWhole) throw new Wrong("A quotation mark is not closed.", quote(token.pieces.map((piece) => piece.text).join("")));
  if (token.lookup !== "") return withLookup(token, asked);
  if (token.value === "") throw new Wrong(`${name} needs a value.`);
  const [first] = token.pieces;
  if (token.sign !== ":" && token.sign !== "=") return compare(token, asked);
  if (token.sign === "=" && first) {
    // As in the API: this value, and no other meaning of its letters.
    const text = token.pieces.length === 1 ? first.text : token.value;
    if (type === "json") return whole({ text, isQuoted: first.isQuoted }, asked);
    return condition(field, "", type === "string" ? literal(known(text, asked)) : scalar(text, asked));
  }
  const items = itemsOf(token.pieces, asked);
  if (items.length === 0) throw new Wrong(`${name} needs a value.`);
  if (type === "json" && !isJsonPath(field) && !items.every(isNullOrAny)) {
    throw new Wrong(`Name a part of ${name}, such as ${name}.id:42.`);
  }
  const nodes = items.map((one) => readItem(one, asked));
  // Values of their own are one list.
  const isEqual = (node: Node): node is Condition => "name" in node && node.name === field;
  const equal = nodes.filter(isEqual);
  if (equal.length < 2) return join("or", nodes);
  const list = equal.map((one) => (type === "json" ? one.text : item(unliteral(one.text)))).join(",");
  return join("or", [condition(field, "in", list, true), ...nodes.filter((node) => !isEqual(node))]);

  function isNullOrAny(one: Item): boolean {
    return one.kind === "one" && !one.piece.isQuoted && ["null", "none", "*"].includes(one.piece.text) && FIELDS[model][field] !== undefined;
  }
}

function unliteral(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(["\\])/g, "$1") : text;
}

/** Lookups whose values are of the type of the field. */
const OF_ITS_TYPE = ["eq", "exact", "ne", "gt", "gte", "lt", "lte", "between", "notbetween", "in", "notin"];

/** The lookups of the API, with values of its form. */
function withLookup(token: FilterToken, asked: Asked): Node {
  const { field, name, model, type } = asked;
  const allowed = lookupsOf(field, model);
  const [lookup = "", more] = token.lookup.split("__");
  if (token.sign !== "=" && token.sign !== ":") throw new Wrong(`${name}__${lookup} is followed by =.`);
  if (!allowed.includes(lookup) || (more !== undefined && more !== "field")) {
    const near = nearest(lookup, allowed);
    throw new Wrong(`There is no lookup ${token.lookup} of ${name}.`, near && `${near}=${token.value}`);
  }
  if (lookup.startsWith("isn") && lookup !== "isnot" && !/^(true|false)$/.test(token.value)) throw new Wrong(`${name}__${lookup} is true or false.`, "true");
  if (type !== "json" && more === undefined && OF_ITS_TYPE.includes(lookup) && (type !== "string" || (FIELDS[model][field]?.values ?? []).length > 0)) {
    const texts = token.pieces.filter((piece) => piece.isQuoted || piece.text !== "").map((piece) => (type === "string" ? known(piece.text, asked) : scalar(piece.text, asked)));
    if (texts.length === 0) throw new Wrong(`${name} needs a value.`);
    return condition(field, lookup, texts.join(","), texts.length > 1);
  }
  const isList = ["in", "notin", "between", "notbetween", "arraycontains", "arraycontained", "arrayoverlaps"].includes(lookup);
  if (isList) return condition(field, token.lookup, token.value.replace(/,$/, ""), true);
  const [piece] = token.pieces;
  const text = token.pieces.length === 1 && piece ? piece.text : token.value;
  return condition(field, token.lookup, piece?.isQuoted === true && type === "json" ? quote(text) : literal(text));
}

/** The values between commas; of texts, two dots are part of the text. */
function itemsOf(pieces: Piece[], { field, type }: Asked): Item[] {
  const items: Item[] = [];
  for (const piece of pieces) {
    const last = items.at(-1);
    if (piece.before !== ".." || !last) items.push({ kind: "one", piece });
    else if (last.kind === "one" && (type === "string" || (type === "json" && !isSpanOfJson(last.piece, piece)))) {
      items[items.length - 1] = { kind: "one", piece: { ...last.piece, text: `${last.piece.text}..${piece.text}` } };
    } else if (last.kind === "one") {
      const end = (one: Piece) => (one.text === "" && !one.isQuoted ? null : one);
      items[items.length - 1] = { kind: "span", from: end(last.piece), until: end(piece) };
    } else throw new Wrong(`${field} has two ends, such as 1..5.`);
  }
  return items.filter((one) => one.kind === "span" || one.piece.isQuoted || one.piece.text !== "");
}

function isSpanOfJson(from: Piece, until: Piece): boolean {
  return [from, until].every((one) => one.text === "" || NUMBER.test(one.text)) && (from.text !== "" || until.text !== "");
}

function readItem(one: Item, asked: Asked): Node {
  const { field, type, model } = asked;
  if (one.kind === "span") return span(one.from, one.until, asked);
  const { text, isQuoted } = one.piece;
  const values = FIELDS[model][field]?.values ?? [];
  // As facets call it, too.
  if (!isQuoted && /^(null|none)$/.test(text) && !values.includes(text)) return condition(field, "isnull", "true");
  if (!isQuoted && text === "*") return condition(field, "isnotnull", "true");
  if (type === "json") {
    const isPattern = !isQuoted && hasStar(text);
    const node = isPattern ? condition(field, "ilike", pattern(text)) : whole(one.piece, asked);
    // By its full name, it is what capture noted, and no more.
    if (field !== ROUTE_FIELD || isJsonPath(asked.name)) return node;
    return ofRoute(node, isPattern ? [condition("path", "ilike", pattern(text))] : pathsOf(text));
  }
  if (type === "date-time") {
    const when = time(text, asked);
    if (typeof when === "string") return condition(field, "", when);
    return when.from.getTime() === when.until.getTime()
      ? condition(field, "", when.from.toISOString())
      : join("and", [condition(field, "gte", when.from.toISOString()), condition(field, "lt", when.until.toISOString())]);
  }
  if (field === "status_code" && /^[1-5]xx$/i.test(text)) {
    return condition(field, "between", `${Number(text[0]) * 100},${Number(text[0]) * 100 + 99}`, true);
  }
  if (type !== "string") return condition(field, "", scalar(text, asked));
  if (field === "message") return isQuoted || !hasStar(text) ? condition(field, "icontains", literal(text)) : condition(field, "ilike", `%${pattern(text)}%`);
  if (isQuoted) return condition(field, "", literal(known(text, asked)));
  if (hasStar(text)) {
    if (values.length === 0) return condition(field, "ilike", pattern(text));
    const fitting = values.filter((value) => new RegExp(`^${text.toLowerCase().split("*").map(escapeRegExp).join(".*")}$`).test(value));
    if (fitting.length > 0) return condition(field, "in", fitting.join(","), true);
  }
  return condition(field, "", literal(known(IN_CAPITALS.includes(field) ? text.toUpperCase() : text, asked)));
}

/** Fields whose values are in capitals, whatever is typed; in quotes, they are as typed. */
const IN_CAPITALS = ["method", "geo_country"];

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

function hasStar(text: string): boolean {
  return text.includes("*") && text.replaceAll("*", "") !== "";
}

/** A pattern of `ilike`, in which only `*` stands for any text. */
function pattern(text: string): string {
  return literal(text.replace(/[\\%_]/g, "\\$&").replace(/\*+/g, "%"));
}

/** A value at a place in JSON: in quotes it is a text, else also the number or word that it spells. */
function whole({ text, isQuoted }: Pick<Piece, "text" | "isQuoted">, { field, name }: Asked): Condition {
  if (!isJsonPath(field)) {
    try {
      return condition(field, "", literal(JSON.stringify(JSON.parse(text))));
    } catch {
      throw new Wrong(`Name a part of ${name}, such as ${name}.id:42.`);
    }
  }
  return condition(field, "", isQuoted || !/^[^\s",\\()]+$/.test(text) ? quote(text) : text);
}

/** One of the values of a field that has only some. */
function known(text: string, { field, model, name }: Asked): string {
  const values = FIELDS[model][field]?.values ?? [];
  if (values.length === 0) return text;
  const lower = text.toLowerCase();
  if (values.includes(lower)) return lower;
  const near = values.find((value) => lower !== "" && (value.startsWith(lower) || lower.startsWith(value))) ?? nearest(lower, values);
  throw new Wrong(`${name} is one of ${values.join(", ")}.`, near);
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const UNITS: [pattern: RegExp, units: Record<string, number>][] = [
  [/^(duration|p\d+_latency)$/, { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }],
  [/_size$/, { b: 1, kb: 1000, mb: 1e6, gb: 1e9 }],
];
const NO_UNITS: Record<string, number> = {};
/** Whole numbers of 64 bits; the others have 32. */
const IS_WIDE = /^id$|_size$/;

/** A number as the API reads it; a whole one may have a unit. */
function scalar(text: string, asked: Asked): string {
  const { field, name, type } = asked;
  if (type === "date-time") {
    const when = time(text, asked);
    return typeof when === "string" ? when : when.from.toISOString();
  }
  if (type === "number") {
    const share = field === "error_rate" && text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : NaN;
    const value = Number.isNaN(share) ? Number(NUMBER.test(text) ? text : NaN) : share;
    if (Number.isNaN(value) || !Number.isFinite(value)) throw new Wrong(field === "error_rate" ? `${name} is a share, such as 0.05 or 5%.` : `${name} is a number.`);
    if (field === "error_rate" && (value < 0 || value > 1)) throw new Wrong(`${name} is a share from 0 to 1.`, `${text.replace(/%$/, "")}%`);
    return String(value);
  }
  const units = UNITS.find(([fields]) => fields.test(field))?.[1] ?? NO_UNITS;
  const [, amount = "", unit = ""] = /^([+-]?[\d.]+)([a-z]*)$/i.exec(text) ?? [];
  const factor = units[unit.toLowerCase()] ?? NaN;
  const value = unit === "" ? text : NUMBER.test(amount) && !Number.isNaN(factor) ? String(Math.round(Number(amount) * factor)) : "";
  if (!/^[+-]?\d+$/.test(value)) {
    const such = field === "status_code" ? "502 or 5xx" : Object.keys(units).length > 0 ? field.endsWith("_size") ? "500 (bytes) or 2kb" : "500 (milliseconds) or 2s" : "500";
    throw new Wrong(`${name} is ${units === NO_UNITS ? "a whole number" : "a number"}, such as ${such}.`, NUMBER.test(text) ? String(Math.round(Number(text))) : null);
  }
  const size = BigInt(value.replace(/^\+/, ""));
  const most = IS_WIDE.test(field) ? 2n ** 63n : 2n ** 31n;
  if (size >= most || size < -most) throw new Wrong(`${name} is never so large.`);
  return value;
}

/** A time: one relative to now as it was typed, so that it stays so. */
function time(text: string, { name, now }: Asked): { from: Date; until: Date } | string {
  if (/^-?infinity$/.test(text)) return text;
  if (isRelative(text)) return text.replace(/\s+/g, "").toLowerCase().replace("min", "m");
  const when = parseWhen(text, now);
  if (when === null) throw new Wrong(`${name} is a time, such as -15m, 10:30 or 2026-11-29.`);
  return when;
}

const SIGNS = { ">": "gt", ">=": "gte", "<": "lt", "<=": "lte" } as const;

function compare(token: FilterToken, asked: Asked): Node {
  const { field, name, type } = asked;
  const [piece] = token.pieces;
  const lookup = SIGNS[token.sign as keyof typeof SIGNS];
  if (!piece || token.pieces.length > 1) {
    if (type !== "string") throw new Wrong(`${name} is compared with one value.`);
  }
  const text = token.pieces.length === 1 && piece ? piece.text : token.value;
  const isQuoted = piece?.isQuoted === true;
  if (type === "json") {
    if (!isJsonPath(field)) throw new Wrong(`Name a part of ${name}, such as ${name}.ms>500.`);
    // The API takes what begins as a number for one, and refuses it if it is none.
    if (!isQuoted && /^[+-]?[\d.]/.test(text) && !NUMBER.test(text) && !/^\d{4}-\d\d-\d\d/.test(text)) {
      throw new Wrong(`${text} is not a number; in quotes it is compared as text.`, `${token.sign}${quote(text)}`);
    }
    return condition(field, lookup, isQuoted ? quote(text) : text);
  }
  if (type === "date-time") {
    const when = time(text, asked);
    if (typeof when === "string") return condition(field, lookup, when);
    // `>2026-11-29` is behind the day, and `<=2026-11-29` has all of it.
    if (lookup === "gt" || lookup === "lte") {
      return when.from.getTime() === when.until.getTime()
        ? condition(field, lookup, when.from.toISOString())
        : condition(field, lookup === "gt" ? "gte" : "lt", when.until.toISOString());
    }
    return condition(field, lookup, when.from.toISOString());
  }
  if (field === "status_code" && /^[1-5]xx$/i.test(text)) {
    const least = Number(text[0]) * 100;
    return condition(field, lookup, String(lookup === "gte" || lookup === "lt" ? least : least + 99));
  }
  return condition(field, lookup, type === "string" ? literal(known(text, asked)) : scalar(text, asked));
}

/** Values from one to another, both included. */
function span(from: Piece | null, until: Piece | null, asked: Asked): Node {
  const { field, name, type } = asked;
  if (type === "date-time") {
    const nodes: Node[] = [];
    const first = from && time(from.text, asked);
    const last = until && time(until.text, asked);
    if (first !== null) nodes.push(condition(field, "gte", typeof first === "string" ? first : first.from.toISOString()));
    if (typeof last === "string") nodes.push(condition(field, "lte", last));
    else if (last !== null) nodes.push(condition(field, last.from < last.until ? "lt" : "lte", last.until.toISOString()));
    if (nodes.length === 0) throw new Wrong(`${name} needs a time.`);
    return join("and", nodes);
  }
  const end = (piece: Piece, isLast: boolean) => {
    if (field === "status_code" && /^[1-5]xx$/i.test(piece.text)) return String(Number(piece.text[0]) * 100 + (isLast ? 99 : 0));
    return type === "json" ? piece.text : scalar(piece.text, asked);
  };
  if (from && until) return condition(field, "between", `${end(from, false)},${end(until, true)}`, true);
  if (from) return condition(field, "gte", end(from, false));
  if (until) return condition(field, "lte", end(until, true));
  throw new Wrong(`${name} has two ends, such as 1..5.`);
}

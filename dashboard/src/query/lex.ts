/** Cuts what is typed into terms: words, phrases, filters, and groups of filters. */
import { MODELS, fieldOf } from "./fields";

/** A part of a value: `a,"b c"` has two, with `,` before the second. */
export interface Piece {
  text: string;
  isQuoted: boolean;
  /** What stands before it. */
  before: "" | "," | "..";
  /** Where it stands in the text. */
  start: number;
}

interface Place {
  /** Where it stands in the text. */
  start: number;
  end: number;
  text: string;
  /** Whether a `-` stands before it. */
  hasMinus: boolean;
}

export interface FilterToken extends Place {
  kind: "filter";
  /** The field as it was typed. */
  name: string;
  /** `in` of `level__in`, or empty. */
  lookup: string;
  sign: Sign;
  /** All behind the sign. */
  value: string;
  pieces: Piece[];
  /** Whether the quotes of the value are closed, and end where a part ends. */
  isWhole: boolean;
}

export type Token =
  | (Place & { kind: "word" })
  | (Place & { kind: "phrase"; phrase: string })
  | (Place & { kind: "group"; how: string; value: string })
  | FilterToken;

export type Sign = ":" | "=" | ">" | ">=" | "<" | "<=";

const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
const NAME = new RegExp(String.raw`(-?)([A-Za-z_]\w*?(?:\.(?:${QUOTED}|[^\s.:=<>!"(),&[\]]+?)|\[\d+\])*)((?:__[a-z]+){0,2})(>=|<=|!=|==|:|=|>|<)`, "ys");
const PHRASE = new RegExp(String.raw`(-?)(${QUOTED})[,;.)]*(?=\s|$)`, "ys");
const GROUP = /(-?)(and|or|not)(=?)(?=\()/y;
const WORD = /\S+/y;
const QUOTE = new RegExp(QUOTED, "ys");

/** Whether a model has a field of this name. */
function isField(name: string): boolean {
  return MODELS.some((model) => fieldOf(name, model) !== null);
}

export function lex(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] ?? "")) {
      at += 1;
      continue;
    }
    const token = phraseAt(text, at) ?? groupAt(text, at) ?? filterAt(text, at) ?? wordAt(text, at);
    tokens.push(token);
    at = token.end;
    // Filters as in an address: `level__in=warn,error&source=API`.
    if (token.kind === "filter" && text[at] === "&") at += 1;
  }
  return tokens;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function wordAt(text: string, start: number): Token {
  const word = match(WORD, text, start)?.[0] ?? "";
  return { kind: "word", start, end: start + word.length, text: word, hasMinus: word.startsWith("-") };
}

function phraseAt(text: string, start: number): Token | null {
  const found = match(PHRASE, text, start);
  if (!found) return null;
  return { kind: "phrase", start, end: start + found[0].length, text: found[0], hasMinus: found[1] === "-", phrase: unquote(found[2] ?? "") };
}

function groupAt(text: string, start: number): Token | null {
  const found = match(GROUP, text, start);
  if (!found) return null;
  let depth = 0;
  for (let at = start + found[0].length; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') {
      const quoted = match(QUOTE, text, at);
      if (!quoted) return null;
      at += quoted[0].length - 1;
    } else if (letter === "(") depth += 1;
    else if (letter === ")") depth -= 1;
    if (depth > 0) continue;
    const end = at + 1;
    const inside = text.slice(start + found[0].length, end);
    // `or(more)` is a word; a group has filters in it.
    const isGroup = /[=(]/.test(inside.slice(1)) && (end === text.length || /\s/.test(text[end] ?? ""));
    return isGroup ? { kind: "group", start, end, text: text.slice(start, end), hasMinus: found[1] === "-", how: found[2] ?? "and", value: inside } : null;
  }
  return null;
}

function filterAt(text: string, start: number): Token | null {
  const found = match(NAME, text, start);
  if (!found) return null;
  const [head, minus = "", name = "", lookup = "", mark = ""] = found;
  const sign: Sign = mark === "==" || mark === "!=" ? "=" : (mark as Sign);
  const at = start + head.length;
  // `path::Path` and `query://` are no filters, whatever the fields are called.
  if (sign === ":" && /[:]|\/\//y.test(text.slice(at, at + 2))) return null;
  const place = { start, hasMinus: (minus === "-") !== (mark === "!="), name, lookup: lookup.slice(2), sign };
  if (!isField(name)) {
    const { end } = wordAt(text, start);
    const value = text.slice(at, end);
    return { kind: "filter", ...place, end, text: text.slice(start, end), value, pieces: [], isWhole: true };
  }
  // `duration:>500` is `duration>500`.
  const comparison = sign === ":" ? match(COMPARISON, text, at)?.[0] : undefined;
  const from = at + (comparison?.length ?? 0);
  const { end, pieces, isWhole } = valueAt(text, from, sign);
  return { kind: "filter", ...place, sign: (comparison as Sign | undefined) ?? sign, end, text: text.slice(start, end), value: text.slice(from, end), pieces, isWhole };
}

const COMPARISON = /(?:>=|<=|>|<)/y;
/** A part without quotes: to a blank, a comma or two dots. */
const BARE = /(?:(?!\.\.)[^\s,])+/y;

function valueAt(text: string, start: number, sign: Sign): { end: number; pieces: Piece[]; isWhole: boolean } {
  const pieces: Piece[] = [];
  let before: Piece["before"] = "";
  let at = start;
  for (;;) {
    const quoted = text[at] === '"' ? match(QUOTE, text, at) : null;
    if (text[at] === '"' && !quoted) {
      // What is open goes to the end, as one means it while one types.
      pieces.push({ text: text.slice(at + 1).trimEnd(), isQuoted: true, before, start: at });
      return { end: text.trimEnd().length, pieces, isWhole: false };
    }
    const bare = quoted ? null : match(BARE, text, at)?.[0];
    let piece = quoted ? unquote(quoted[0]) : (bare ?? "");
    const and = sign === "=" && bare ? /&(?=[A-Za-z_][\w.]*=)/.exec(bare) : null;
    if (and) piece = piece.slice(0, and.index);
    pieces.push({ text: piece, isQuoted: quoted !== null, before, start: at });
    at += quoted ? quoted[0].length : piece.length;
    if (and) return { end: at, pieces, isWhole: true };
    if (text[at] === ",") before = ",";
    else if (text.startsWith("..", at)) before = "..";
    else if (at >= text.length || /\s/.test(text[at] ?? "")) return { end: at, pieces, isWhole: true };
    else {
      // `"a"b`: no part ends here.
      const { end } = wordAt(text, at);
      pieces.push({ text: text.slice(at, end), isQuoted: false, before: "", start: at });
      return { end, pieces, isWhole: false };
    }
    at += before.length;
  }
}

/** The text inside quotes: `\"` is a quote, `\\` a backslash, and any other backslash itself. */
export function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(["\\])/g, "$1");
}

export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

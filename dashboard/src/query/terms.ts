/** What each term of a search asks for by itself, and what could stand in its place when nothing is found. */
import { FIELDS, OFFERED, fieldOf, typeOf } from "./fields";
import type { Model } from "./fields";
import { withoutTerm } from "./edit";
import { lex, quote } from "./lex";
import type { FilterToken } from "./lex";
import { parse } from "./parse";

type Pairs = [name: string, value: string][];

export interface TermCheck {
  /** As it was typed. */
  text: string;
  /** Its parameters, without those of the others. */
  alone: Pairs;
  /** The search without it. */
  rest: string;
  /** The search with a form in its place that finds more, and that form; null if there is none. */
  wider: { text: string; form: string } | null;
  /** What is to be known about it: that its field does not exist. */
  note: string | null;
  /** What was probably meant, by the letters; and the search with it. */
  instead: { text: string; form: string } | null;
}

/** Looks at each term of a search that restricts it. */
export function checkTerms(text: string, model: Model): TermCheck[] {
  return parse(text, model).terms.flatMap((term): TermCheck[] => {
    if (term.parameter === null && term.word === "") return [];
    const typed = text.slice(term.start, term.end);
    const with_ = (form: string) => ({ text: `${text.slice(0, term.start)}${form}${text.slice(term.end)}`, form });
    const form = widerForm(typed, model);
    const instead = term.problem?.instead ?? null;
    return [
      {
        text: typed,
        alone: term.parameter ? [term.parameter] : [["match", term.word]],
        rest: withoutTerm(text, term),
        wider: form === null ? null : with_(form),
        note: term.problem?.text ?? unknownField(typed, model),
        instead: instead === null ? null : with_(instead),
      },
    ];
  });
}

/** The parameters of a search: its filters, and its words, all of which a record must have. */
export function restrictionsOf(text: string, model: Model): Pairs {
  const { filters, words } = parse(text, model);
  return [...filters, ...(words === "" ? [] : [["match", words] as [string, string]])];
}

/** A form of a term that finds what contains its value; null if there is none, or it is that already. */
export function widerForm(typed: string, model: Model): string | null {
  const [token, ...others] = lex(typed);
  if (!token || others.length > 0 || token.hasMinus) return null;
  if (token.kind === "phrase") return containing(token.phrase, true, model);
  if (token.kind === "word") return containing(token.text, false, model);
  if (token.kind !== "filter") return null;
  const field = fieldOf(token.name, model);
  if (field === null) return containing(token.text, true, model);
  return isText(field, model) ? containsForm(token) : null;
}

/** Whether a field has texts of any kind. */
function isText(field: string, model: Model): boolean {
  const type = typeOf(field, model);
  return field !== "message" && (type === "json" || (type === "string" && (FIELDS[model][field]?.values ?? []).length === 0));
}

function containsForm({ name, lookup, sign, pieces, isWhole }: FilterToken): string | null {
  if (!isWhole || lookup !== "" || (sign !== ":" && sign !== "=")) return null;
  const [first] = pieces;
  if (pieces.length === 1 && first?.isQuoted === true) return first.text.trim() === "" ? null : `${name}__icontains=${quote(first.text)}`;
  if (pieces.some((piece) => piece.isQuoted || piece.before === ".." || /^(null|\**)$/.test(piece.text))) return null;
  const value = pieces.map((piece) => `*${piece.text.replace(/^\*+|\*+$/g, "")}*`).join(",");
  return value === pieces.map((piece) => piece.text).join(",") ? null : `${name}:${value}`;
}

/** A word as a part of the text that records of a model mostly are. */
function containing(word: string, isPhrase: boolean, model: Model): string | null {
  const text = word.replaceAll("*", "");
  const isPlain = !isPhrase && /^[\p{L}\p{N}_-]+$/u.test(text);
  if (text.trim() === "") return null;
  if (model === "logs") return `message:${isPlain ? text : quote(text)}`;
  if (model === "requests") return isPlain ? `path:*${text}*` : `path__icontains=${quote(text)}`;
  return null;
}

/** What there is to say of a word that looks like a filter. */
function unknownField(typed: string, model: Model): string | null {
  const name = /^-?([A-Za-z_]\w*)[\w."]*[:=](?![:/])./.exec(typed)?.[1];
  if (name === undefined || fieldOf(name, model) !== null) return null;
  const offered = OFFERED[model].map(([one]) => one.replace(/\.$/, "")).join(", ");
  return `There is no field ${name}: this is searched for as words. Fields are ${offered}.`;
}

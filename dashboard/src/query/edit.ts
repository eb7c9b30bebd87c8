/** Changes a search text by its terms; what one typed around them stays as it is. */
import { lex, quote } from "./lex";

export type Value = string | number | boolean | null;

/** A filter for a value, so that it is read as this value and nothing else. */
export function filterFor(field: string, value: Value, isExcluded = false): string {
  return `${isExcluded ? "-" : ""}${field}:${valueFor(field, value)}`;
}

/** A value as it is typed behind `field:`. */
export function valueFor(field: string, value: Value): string {
  if (typeof value !== "string") return String(value);
  const isJson = /[.["]/.test(field);
  // A text that spells a number or a word of JSON is meant as a text there.
  const isOther = isJson ? /^([+-]?[\d.].*|true|false|null|none)$/s.test(value) : /^(null|none)$/.test(value);
  const isCased = /^(method|geo_country|country)$/.test(field) && value !== value.toUpperCase();
  const isPlain = /^(?![<>:=/&]{2}|[<>:=])[^\s",*\\()]+$/.test(value) && !value.includes("..");
  return isOther || isCased || !isPlain ? quote(value) : value;
}

/** Adds a filter for a value to a text, in the place of its opposite. */
export function withFilter(text: string, field: string, value: Value, isExcluded = false): string {
  const term = filterFor(field, value, isExcluded);
  const opposite = filterFor(field, value, !isExcluded);
  let kept = text;
  for (const token of lex(text).reverse()) {
    if (token.text === term) return text;
    if (token.text === opposite) kept = withoutTerm(kept, token);
  }
  kept = kept.trim();
  if (kept === "") return term;
  // A quote that is open would take in what is added.
  return [`${kept} ${term}`, `${kept}" ${term}`].find((one) => lex(one).at(-1)?.text === term) ?? term;
}

/** Takes a term out of a text. */
export function withoutTerm(text: string, term: { start: number; end: number }): string {
  const [before, after] = [text.slice(0, term.start).trimEnd(), text.slice(term.end).trimStart()];
  return (before === "" || after === "" ? `${before}${after}` : `${before} ${after}`).trim();
}

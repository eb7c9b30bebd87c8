/**
 * What is typed into the search box: words, "phrases", -exclusions, and filters, which are those of
 * the API said shorter.
 *
 *     payment timeout level:error status:5xx duration:>500 -source:API meta.user.id:42
 *     level__in=warn,error                      as in the API and on the command line
 *
 * What is no filter is a word, and is sent so that the API takes it for one: `http://x`, `foo::bar`,
 * and the `-X` of a command that was pasted.
 */
import { shortLine } from "../parts/text";
import { asParameter } from "./conditions";
import { fieldOf, namesOf, nearest, nearestOfOthers, otherModelOf } from "./fields";
import type { Model } from "./fields";
import { hintsFor } from "./hints";
import { lex } from "./lex";
import type { FilterToken, Token } from "./lex";
import { Wrong, readValue } from "./values";

export { ALIASES, FIELDS, JSON_FIELDS, fieldOf, nearest, pathWith } from "./fields";
export type { Field, Model } from "./fields";
export { withFilter, withoutTerm } from "./edit";

export interface Problem {
  text: string;
  instead: string | null;
  /** The view whose records have the field that was probably meant, and the filter there. */
  elsewhere?: { model: Model; text: string };
}

/** A part of the text. */
export interface Term {
  /** Where it stands in the text. */
  start: number;
  end: number;
  kind: "word" | "filter";
  isExcluded: boolean;
  /** What is sent: a parameter of the API, or a part of the words. */
  parameter: [name: string, value: string] | null;
  /** As it is sent among the words; empty if it is not. */
  word: string;
  /** Why it is not sent as it was meant, and what could stand there instead. */
  problem: Problem | null;
  /** Set if another model has the field: the term waits for its views. */
  isOfAnotherModel: boolean;
}

export interface Query {
  terms: Term[];
  /** Parameters of the API; a name may come several times, and then all are meant. */
  filters: [name: string, value: string][];
  /** The words, phrases and exclusions, for `search` or `match`. */
  words: string;
  problems: Term[];
}

/** Reads a text as words and filters of a model. */
export function parse(text: string, model: Model, now = new Date()): Query {
  const tokens = lex(text);
  const isCommand = looksLikeCommand(tokens);
  const terms = tokens.map((token, index): Term => {
    const term: Term = {
      start: token.start,
      end: token.end,
      kind: "word",
      isExcluded: false,
      parameter: null,
      word: "",
      problem: null,
      isOfAnotherModel: false,
    };
    if (token.kind === "group") return { ...term, kind: "filter", isExcluded: token.hasMinus, parameter: groupOf(token.how, token.value, token.hasMinus) };
    if (token.kind === "filter") {
      const filter = readFilter(token, term, model, now, { isLast: index === tokens.length - 1, isCommand });
      if (filter) return filter;
    }
    return { ...term, ...readWord(token, isCommand) };
  });
  const hints = hintsFor(text, tokens, model);
  for (const [index, token] of tokens.entries()) {
    const term = terms[index];
    const hint = hints.get(token);
    if (!term || !hint) continue;
    // Of a value that cannot be read with its bracket, this is why.
    if (term.problem === null || (token.kind === "filter" && term.kind === "filter")) term.problem = hint;
  }
  limitWords(terms);
  findNothing(terms, model);
  return {
    terms,
    filters: terms.flatMap((term) => (term.parameter ? [term.parameter] : [])),
    words: terms
      .map((term) => term.word)
      .filter((word) => word !== "")
      .join(" "),
    problems: terms.filter((term) => term.problem !== null),
  };
}

function groupOf(how: string, value: string, isExcluded: boolean): [string, string] {
  return isExcluded ? ["not", `(${how}${value})`] : [how, value];
}

/** Reads a filter, or returns null if it is a word. */
function readFilter(token: FilterToken, term: Term, model: Model, now: Date, { isLast, isCommand }: { isLast: boolean; isCommand: boolean }): Term | null {
  const filter: Term = { ...term, kind: "filter", isExcluded: token.hasMinus };
  const field = fieldOf(token.name, model);
  // `level: error`, as logs print it, are words.
  if (token.value === "" && !isLast) return null;
  if (field === null) {
    if (otherModelOf(token.name, model)) return { ...filter, isOfAnotherModel: true };
    const near = token.value === "" ? null : nearest(token.name, namesOf(model));
    if (token.name.length < 3) return null;
    if (near === null) {
      const other = token.value === "" ? null : nearestOfOthers(token.name, model);
      if (other === null) return null;
      const text = `There is no field ${token.name}: “${shortLine(token.text, 40)}” is searched for as text. ${other.model === "logs" ? "Log lines" : "Requests"} have ${other.name}.`;
      return { ...term, ...readWord(token, isCommand), problem: { text, instead: null, elsewhere: { model: other.model, text: token.text.replace(token.name, other.name) } } };
    }
    const instead = token.text.replace(token.name, near);
    return { ...term, ...readWord(token, isCommand), problem: { text: `There is no field ${token.name}: “${shortLine(token.text, 40)}” is searched for as text.`, instead } };
  }
  try {
    return { ...filter, parameter: asParameter(readValue(token, field, model, now)) };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    const head = token.text.slice(0, token.text.length - token.value.length);
    const { instead } = error;
    return { ...filter, problem: { text: error.message, instead: instead === null ? null : replaced(token, head, instead) } };
  }
}

/** The text of a filter with another value; a lookup or a comparison in it takes the place of the old one. */
function replaced(token: FilterToken, head: string, instead: string): string {
  const minus = token.text.startsWith("-") ? "-" : "";
  if (token.lookup !== "" && instead.includes("=")) return `${minus}${token.name}__${instead}`;
  if (/^[<>]/.test(instead)) return `${minus}${token.name}:${instead}`;
  return `${head}${instead}`;
}

/** Programs whose options have one `-` and many letters. */
const PROGRAMS = /^(\$|sudo|java|rm|tar|openssl|ffmpeg|terraform)$/;

/** Whether a text is a pasted command, whose `-x` exclude nothing. */
function looksLikeCommand(tokens: Token[]): boolean {
  const [first] = tokens;
  if (tokens.length < 2 || first?.kind !== "word") return false;
  return PROGRAMS.test(first.text) || tokens.some((token) => /^(-[A-Za-z]|--[A-Za-z][\w-]*(=.*)?)$/s.test(token.text));
}

/** A word as it is sent, and whether it excludes. */
function readWord(token: Token, isCommand: boolean): Pick<Term, "isExcluded" | "word"> {
  if (token.kind === "phrase") {
    if (token.phrase.trim() === "") return { isExcluded: false, word: "" };
    const isExcluded = token.hasMinus && !isCommand;
    return { isExcluded, word: `${isExcluded ? "-" : ""}"${token.phrase.replace(/["\\]/g, "\\$&")}"` };
  }
  const { text } = token;
  // A number below zero is meant as it is: `exit code -1`.
  if (/^-\d/.test(text)) return { isExcluded: false, word: asPhrase(text) };
  const isExcluded = !isCommand && /^-[\p{L}_/]/u.test(text) && !/^-[A-Za-z]$/.test(text);
  const body = text.replace(/^-+/, "");
  if (body === "" || /^["\s]*$/.test(body)) return { isExcluded: false, word: "" };
  const word = isFieldInSearch(body) ? asPhrase(body) : withoutQuotes(body);
  return { isExcluded, word: isExcluded && word !== "" ? `-${word}` : word };
}

/** A word that the API would take for a filter, as letters. */
function asPhrase(text: string): string {
  const letters = text.replaceAll('"', " ").trim();
  return letters === "" ? "" : `"${letters.replaceAll("\\", "\\\\")}"`;
}

function isFieldInSearch(text: string): boolean {
  const name = /^([A-Za-z_][\w."-]*)[:=<>](?=.)/s.exec(text)?.[1];
  return name !== undefined && (fieldOf(name, "logs") ?? fieldOf(name, "requests") ?? fieldOf(name, "metrics")) !== null;
}

/** A quote inside a word opens no phrase: `{"a":"b"}` are the words `a` and `b`. */
function withoutQuotes(text: string): string {
  if (!text.includes('"')) return text;
  const words = text.split(/["{}[\],]+/).map((word) => word.replace(/^[-:=]+|[:=]+$/g, ""));
  return words.map((word) => (isFieldInSearch(word) ? word.replace(/[:=<>]+/g, " ") : word)).filter((word) => word !== "").join(" ");
}

/** The API takes 24 words, 32 phrases and exclusions, and 4 KB. */
const MOST = { words: 24, phrases: 32, bytes: 4096 };

/** Leaves out the words that are too many, the shortest first, and says so at them. */
function limitWords(terms: Term[]): void {
  const sent = terms.filter((term) => term.word !== "").map((term) => ({ term, isPhrase: /^-?"/.test(term.word) || term.isExcluded, words: wordsIn(term.word) }));
  const leftOut: Term[] = [];
  const left = { words: MOST.words, phrases: MOST.phrases, bytes: MOST.bytes };
  for (const { term, isPhrase, words } of sent.toSorted((a, b) => Number(b.isPhrase) - Number(a.isPhrase) || b.term.word.length - a.term.word.length)) {
    // Of a long word without blanks, such as JSON that was pasted, its first words stay.
    const isCut = !isPhrase && words.length > left.words;
    const word = isCut ? term.word.slice(0, words[left.words]?.index ?? 0).replace(/[^\p{L}\p{N}_]+$/u, "") : term.word;
    const size = sizeOf(word) + 1;
    const fits = word !== "" && size <= left.bytes && (!isPhrase || left.phrases > 0);
    if (sizeOf(term.word) > MOST.bytes && words.length <= 1) term.problem ??= { text: TOO_LONG, instead: null };
    else if (isCut && fits) term.problem ??= { text: `Only ${MOST.words} words are searched for: the rest of this is left out.`, instead: null };
    else if (!fits) leftOut.push(term);
    term.word = fits ? word : "";
    if (!fits) continue;
    left.bytes -= size;
    if (isPhrase) left.phrases -= 1;
    else left.words -= Math.min(words.length, left.words);
  }
  // One report is for all of them.
  const [first] = leftOut.sort((a, b) => a.start - b.start);
  if (first) first.problem ??= { text: `Only ${MOST.words} words are searched for: ${leftOut.length.toLocaleString("en")} ${leftOut.length === 1 ? "is" : "are"} left out.`, instead: null };
}

const TOO_LONG = "This word is too long to be searched for.";
/** A filter that no record passes. Endpoints are asked for by their names only. */
const NO_RECORD: Record<Model, [string, string]> = { logs: ["id", "-1"], requests: ["id", "-1"], metrics: ["endpoint", "-"] };

/** A search of nothing but a word that is too long finds nothing, instead of everything. */
function findNothing(terms: Term[], model: Model): void {
  const [first] = terms;
  if (first?.problem?.text === TOO_LONG && terms.every((term) => term.parameter === null && term.word === "")) first.parameter = NO_RECORD[model];
}

/** The words of a text, as many as matter here. */
function wordsIn(text: string): RegExpExecArray[] {
  return [...text.slice(0, 2 * MOST.bytes).matchAll(/[\p{L}\p{N}_]+/gu)];
}

function sizeOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Choosing classes of status codes in the text of a search. */
import { lex } from "../../query/lex";
import { fieldOf, parse, withoutTerm } from "../../query/parse";
import type { Term } from "../../query/parse";

function statusTerms(text: string): Term[] {
  const tokens = lex(text);
  return parse(text, "requests").terms.filter((_, index) => {
    const token = tokens[index];
    return token?.kind === "filter" && fieldOf(token.name, "requests") === "status_code";
  });
}

/** A text without the filters of the status code. */
export function withoutStatus(text: string): string {
  return statusTerms(text).reduceRight((rest, term) => withoutTerm(rest, term), text);
}

/** How many values of a field are listed at first. */
export const FEW = 6;

export const CLASSES = [1, 2, 3, 4, 5] as const;

/** The classes of status codes that a text asks for; empty if it asks for none of them whole. */
export function classesOf(text: string): number[] {
  const parameters = statusTerms(text).flatMap(({ parameter }) => (parameter ? [parameter] : []));
  const spans = (lookup: string) => parameters.filter(([name]) => name === `status_code__${lookup}`).map(([, value]) => value.split(",").map(Number));
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
  const rest = withoutStatus(text);
  const [first] = chosen;
  const last = chosen.at(-1);
  if (first === undefined || last === undefined || chosen.length === CLASSES.length) return rest;
  const span = first === last ? `status:${first}xx` : `status:${first}00..${last}99`;
  const between = CLASSES.filter((other) => other > first && other < last && !chosen.includes(other)).map((other) => `-status:${other}xx`);
  return [rest, span, ...between].join(" ").trim();
}

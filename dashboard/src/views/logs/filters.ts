/** Filters by a value that one points at: how they stand in the search, and how they get there. */
import type { Log } from "../../api/client";
import { parse, withFilter, withoutTerm } from "../../query/parse";
import type { Term } from "../../query/parse";
import type { Cell } from "./LineRow";
import { likeCopies } from "./text";

export interface Picked {
  chosen: Set<string>;
  excluded: Set<string>;
}

function valuesOf(term: Term, field: string): { values: string[]; isExcluded: boolean } | null {
  if (!term.parameter) return null;
  const [name, value] = term.parameter;
  switch (name) {
    case field:
      return { values: [value], isExcluded: false };
    case `${field}__in`:
      return { values: value.split(","), isExcluded: false };
    case `${field}__ne`:
      return { values: [value], isExcluded: true };
    case `${field}__notin`:
      return { values: value.split(","), isExcluded: true };
    case `${field}__isnull`:
      return { values: ["null"], isExcluded: false };
    case `${field}__isnotnull`:
      return { values: ["null"], isExcluded: true };
    default:
      return null;
  }
}

/** The values of a field that a search asks for, and those that it excludes. */
export function pickedValues(text: string, field: string): Picked {
  const picked: Picked = { chosen: new Set(), excluded: new Set() };
  for (const term of parse(text, "logs").terms) {
    const found = valuesOf(term, field);
    for (const value of found?.values ?? []) (found?.isExcluded ? picked.excluded : picked.chosen).add(value);
  }
  return picked;
}

/** Asks for one value more of a field, excludes it, or takes back what was said of it. */
export function togglePicked(text: string, field: string, value: string | null, isExcluded: boolean): string {
  const name = value ?? "null";
  const { chosen, excluded } = pickedValues(text, field);
  const isThere = isExcluded ? excluded.has(name) : chosen.has(name);
  chosen.delete(name);
  excluded.delete(name);
  if (!isThere) (isExcluded ? excluded : chosen).add(name);
  let rest = text;
  for (let term = termOf(rest, field); term; term = termOf(rest, field)) rest = withoutTerm(rest, term);
  // Several values are one filter, unless one of them needs quotes, or is none: then the last one counts.
  const needsQuotes = [...chosen].some((one) => one === "null" || /[\s",*]|\.\.|^[<>]/.test(one) || one === "");
  if (chosen.size > 1 && !needsQuotes) rest = `${rest} ${field}:${[...chosen].join(",")}`;
  else if (chosen.size > 0) {
    const only = !isExcluded && !isThere ? name : ([...chosen].at(-1) ?? "");
    rest = withFilter(rest, field, only === "null" ? null : only);
  }
  for (const one of excluded) rest = withFilter(rest, field, one === "null" ? null : one, true);
  return rest.trim();
}

function termOf(text: string, field: string): Term | undefined {
  return parse(text, "logs").terms.find((term) => valuesOf(term, field) !== null);
}

/** The filter for the lines that differ from one in numbers and ids only. */
export function withCopies(text: string, log: Pick<Log, "message">, isExcluded = false): string {
  const quoted = `"${likeCopies(log.message).replace(/["\\]/g, "\\$&")}"`;
  const only = `message__like:${quoted}`;
  const not = `message__notlike:${quoted}`;
  const found = parse(text, "logs").terms.filter((term) => [only, not].includes(text.slice(term.start, term.end)));
  const rest = found.reduceRight((kept, term) => withoutTerm(kept, term), text);
  const added = isExcluded ? not : only;
  return found.some((term) => text.slice(term.start, term.end) === added) ? rest : `${rest} ${added}`.trim();
}

/** Filters by a part of a row: for its message, by what its copies have in common. */
export function withCell(text: string, log: Log, cell: Cell, isExcluded: boolean): string {
  if (cell === "message") return withCopies(text, log, isExcluded);
  return togglePicked(text, cell, log[cell], isExcluded);
}

/** Whether the search has a way to say this filter. */
export function canFilter(path: string, value: string | number | boolean | null): boolean {
  const { terms, problems } = parse(withFilter("", path, value).trim(), "logs");
  return terms.length === 1 && terms[0]?.parameter !== null && problems.length === 0;
}

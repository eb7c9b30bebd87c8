/** Filters by what one points at in a line. */
import type { Log } from "../../api/client";
import { parse, withFilter, withoutTerm } from "../../query/parse";
import { pickedValues, togglePicked } from "../../query/picked";
import type { Cell } from "./LineRow";
import { likeCopies } from "./text";

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

/** The filter for the lines of a pattern: those of its level and source that differ in numbers and ids only. */
export function withPattern(text: string, log: Pick<Log, "level" | "source" | "message">): string {
  let next = text;
  for (const field of ["level", "source"] as const) {
    if (!pickedValues(next, "logs", field).chosen.includes(log[field])) next = togglePicked(next, "logs", field, log[field], false);
  }
  const [only] = parse(withCopies("", log), "logs").filters;
  const isThere = parse(next, "logs").filters.some(([name, value]) => name === only?.[0] && value === only[1]);
  return isThere ? next : withCopies(next, log);
}

/** Filters by a part of a row: for its message, by what its copies have in common. */
export function withCell(text: string, log: Log, cell: Cell, isExcluded: boolean): string {
  if (cell === "message") return withCopies(text, log, isExcluded);
  return togglePicked(text, "logs", cell, log[cell], isExcluded);
}

/** Whether the search has a way to say this filter. */
export function canFilter(path: string, value: string | number | boolean | null): boolean {
  const { terms, problems } = parse(withFilter("", path, value).trim(), "logs");
  return terms.length === 1 && terms[0]?.parameter !== null && problems.length === 0;
}

/** Requests that the application sent itself: capture notes these beside those that it received. The overview counts the latter alone, and the list shows them alone unless others are asked for. */
import { pickedValues, withoutPicked } from "../../query/picked";
import { parse, withFilter } from "../../query/parse";

const FIELD = "headers.direction";
const OUTGOING = "outgoing";

/** Calls that the application sent itself are no traffic of it: counts and lists leave them out. */
export const NOT_OUTGOING: [string, string] = ["headers.direction__ne", OUTGOING];

/** Whether a search names one request or one trace, of which all is shown. */
export function namesRecords(text: string): boolean {
  return parse(text, "requests").terms.some(({ parameter }) => parameter !== null && /^(id|trace_id)(__in)?$/.test(parameter[0]));
}

/** Whether a search decides by itself: by what it says of the direction, or as it names records. */
export function decides(text: string): boolean {
  return namesRecords(text) || parse(text, "requests").terms.some(({ parameter }) => parameter !== null && parameter[0].startsWith(FIELD));
}

/** What a search is restricted to unless it decides, or they are asked for. */
export function withoutOutgoing(text: string, hasOutgoing: boolean): [string, string][] {
  return hasOutgoing || decides(text) ? [] : [NOT_OUTGOING];
}

/** Which requests a search asks for. */
export type Sent = "both" | "received" | "sent";

export function sentOf(text: string): Sent {
  const { chosen, excluded } = pickedValues(text, "requests", FIELD);
  if (chosen.includes(OUTGOING)) return "sent";
  return excluded.includes(OUTGOING) || chosen.includes(null) ? "received" : "both";
}

/** A search for the same records, of those that were received, that were sent, or both. */
export function searchFor(text: string, sent: Sent): string {
  const rest = withoutPicked(text, "requests", FIELD);
  return sent === "both" ? rest : withFilter(rest, "direction", OUTGOING, sent === "received");
}

/** How many of some groups the application sent itself. */
export function countSent(groups: { by: Record<string, unknown>; of: { count: number } }[]): number {
  return groups.reduce((sum, { by, of }) => sum + (by[FIELD] === OUTGOING ? of.count : 0), 0);
}

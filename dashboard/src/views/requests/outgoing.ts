/** Requests that the application sent itself: capture notes these beside those that it received, and the overview counts the latter alone. */
import { pickedValues, withoutPicked } from "../../query/picked";
import { withFilter } from "../../query/parse";

const FIELD = "headers.direction";
const OUTGOING = "outgoing";

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

/** What the line at the bottom says of the state of the server. */
import type { Connection } from "../api/connection";
import type { Status } from "../api/status";
import { count, percent } from "../time/format";

/** The share of a queue above which it is worth a line. */
const FULL = 0.8;

export function connectionLine(connection: Connection, isOnline: boolean): string | null {
  if (!isOnline) return "This device has no connection. What is shown stays; it asks again when there is one.";
  if (!connection.isLost) return null;
  const tried = connection.retries === 0 ? "" : ` Tried ${connection.retries === 1 ? "once" : `${count(connection.retries)} times`}.`;
  return `The server does not answer. What is shown stays; it is tried again.${tried}`;
}

/** What needs someone, the most urgent first. */
export function statusLines(status: Status): string[] {
  const lines: string[] = [];
  if (status.takes_writes === false) lines.push("The server takes no records in: it can only be read.");
  if (status.dropped !== undefined && status.dropped > 0) lines.push(`${count(status.dropped)} ${status.dropped === 1 ? "record was" : "records were"} dropped since the server started.`);
  const { used, limit } = status.queue ?? {};
  if (used !== undefined && limit !== undefined && limit > 0 && used / limit >= FULL) lines.push(`The queue is ${percent(used / limit)} full.`);
  if (status.maintenance?.is_failing === true) lines.push("Maintenance fails: see the log of the server.");
  if (status.maintenance?.is_behind === true) lines.push("Sealing is behind: searches of the newest records take longer.");
  return lines;
}

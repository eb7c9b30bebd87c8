/** What the line at the bottom says of the state of the server. */
import type { Connection } from "../api/connection";
import type { Status } from "../api/status";
import { count, counted, percent } from "../time/format";

/** The share of a limit above which it is worth a line. */
const FULL = 0.8;

export function connectionLine(connection: Connection, isOnline: boolean): string | null {
  if (!isOnline) return "This device has no connection. What is shown stays; it asks again when there is one.";
  if (!connection.isLost) return null;
  const tried = connection.retries === 0 ? "" : ` Tried ${connection.retries === 1 ? "once" : `${count(connection.retries)} times`}.`;
  return `The server does not answer. What is shown stays; it is tried again.${tried}`;
}

/** What needs someone, the most urgent first. Of what is counted, only what came since `before` does. */
export function statusLines(status: Status, before: Status): string[] {
  const lines: string[] = [];
  if (!status.is_ready) lines.push(`The server accepts no records${status.problem === null ? "" : `: ${status.problem}`}.`);
  const dropped = since(status.syslog?.dropped, before.syslog?.dropped);
  if (dropped > 0) lines.push(`${number(dropped, "syslog message was", "syslog messages were")} dropped.`);
  const refused = since(status.refused_bodies.busy, before.refused_bodies.busy);
  if (refused > 0) lines.push(`${number(refused, "body was", "bodies were")} refused because too many arrived at once: clients have to send ${refused === 1 ? "it" : "them"} again.`);
  const { body_bytes, ingests, tail_readers } = status.limits;
  if (isFull(body_bytes) || isFull(ingests)) lines.push(`Room for bodies is ${percent(Math.max(share(body_bytes), share(ingests)))} full.`);
  if (isFull(tail_readers)) lines.push(`${count(tail_readers.used)} of ${counted(tail_readers.limit, "live view")} ${tail_readers.limit === 1 ? "is" : "are"} in use.`);
  if (status.maintenance?.is_failing === true) lines.push("Maintenance fails: the server’s log says why.");
  if (status.maintenance?.is_behind === true) lines.push(`Sealing is behind by ${counted(status.maintenance.unsealed_ids, "record")}: searches take longer.`);
  const failed = since(status.alert_deliveries.failed, before.alert_deliveries.failed);
  if (failed > 0) lines.push(`${number(failed, "attempt", "attempts")} to notify a webhook failed.`);
  return lines;
}

/** What was counted since; a process that started again counts from 0. */
function since(now = 0, before = 0): number {
  return now >= before ? now - before : now;
}

function number(value: number, one: string, many: string): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

function share({ used, limit }: { used: number; limit: number }): number {
  return limit > 0 ? used / limit : 0;
}

function isFull(use: { used: number; limit: number }): boolean {
  return share(use) >= FULL;
}

/** Says retention and what pruning would take in words. */
import type { Blocker, Partition, PrunePlan, Retention, StoredTable } from "../../api/storage";
import { bytes, count, counted } from "../../time/format";

export const NAMES: Record<string, string> = { logs: "Logs", request_snapshots: "Requests", metrics: "Metrics", users: "Users" };

export function nameOf(table: string): string {
  return NAMES[table] ?? table;
}

/** `14 days`, `36 hours`. */
export function age(seconds: number): string {
  const [amount, unit] = seconds % 86_400 === 0 ? [seconds / 86_400, "day"] : seconds % 3600 === 0 ? [seconds / 3600, "hour"] : seconds % 60 === 0 ? [seconds / 60, "minute"] : [seconds, "second"];
  return counted(amount, unit);
}

export function retentionInWords({ older_than_seconds: older, larger_than_bytes: larger, deleted_older_than_seconds: deleted }: Retention): string {
  const kept = [...(older === null ? [] : [`for ${age(older)}`]), ...(larger === null ? [] : [`up to ${bytes(larger)}`])].join(", ");
  const all = kept === "" ? "Kept for good" : `Kept ${kept}`;
  return deleted === null ? all : `${all}; deleted ones for ${age(deleted)}`;
}

/** What pruning would delete now, or why nothing. */
export function planInWords(plan: PrunePlan | null): string {
  if (plan === null) return "Nothing: there is no retention policy.";
  if (plan.deleted_rows === 0 && plan.dropped_partitions.length === 0) return "Nothing now.";
  const dropped = plan.dropped_partitions;
  const said = [
    ...(dropped.length > 0 ? [`${counted(dropped.length, "partition")} as a whole (${counted(dropped.reduce((sum, one) => sum + one.rows, 0), "record")}, ${bytes(plan.freed_bytes)})`] : []),
    ...(plan.expired_rows > 0 ? [`${counted(plan.expired_rows, "record")} too old`] : []),
    ...(plan.soft_deleted_rows > 0 ? [`${counted(plan.soft_deleted_rows, "record")} deleted long ago`] : []),
  ];
  return `${said.join(", ") || counted(plan.deleted_rows, "record")}.`;
}

const REASONS: Record<Blocker["reason"], string> = {
  default_partition: "is the default partition, which is never dropped",
  takes_inserts: "takes inserts",
  has_newer_rows: "also has newer records",
};

export function blockerInWords({ partition, reason }: Blocker): string {
  return `${partition} stays: it ${REASONS[reason]}.`;
}

/** How many records are not sealed: `1 record waits`. */
export function waitInWords(unsealed: number): string {
  return unsealed === 0 ? "none waits" : `${counted(unsealed, "record")} ${unsealed === 1 ? "waits" : "wait"}`;
}

/** What the states are called; the command line and the API have the words on the left. */
export const STATE_NAMES: Record<Partition["state"], string> = { frozen: "frozen", sealed: "sealed", hot: "in use", precreated: "prepared", default: "for all others" };

/** `2 frozen, 1 in use`. */
export function statesInWords(partitions: Partition[]): string {
  const order: Partition["state"][] = ["frozen", "sealed", "hot", "precreated", "default"];
  const said = order.map((state) => [partitions.filter((one) => one.state === state).length, state] as const).filter(([amount]) => amount > 0);
  return said.map(([amount, state]) => `${count(amount)} ${STATE_NAMES[state]}`).join(", ") || "–";
}

/** What the states of some partitions mean, a line each. */
export function statesExplained(partitions: Partition[]): string {
  const states = new Set(partitions.map(({ state }) => state));
  return [...states].map((state) => `${STATE_NAMES[state]} (${state}): ${STATES[state]}`).join("\n");
}

export const STATES: Record<Partition["state"], string> = {
  default: "Takes records that have no other partition",
  precreated: "No id has reached it yet",
  hot: "Takes inserts, or has records that are not sealed yet",
  sealed: "All its ids are summarised for search",
  frozen: "Sealed, frozen, and skipped by filters on time that cannot match",
};

/** A backlog beyond this is one: sealing is eight segments behind. */
const BEHIND = 131_072;

export function isBehind(table: StoredTable): boolean {
  return table.unsealed_rows > BEHIND;
}

/** Tables that have partitions or summaries are sealed, others not. */
export function isSealed(table: StoredTable): boolean {
  return table.bytes.search > 0 || table.partitions.length > 0;
}

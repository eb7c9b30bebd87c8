/** What the tables hold, and what pruning would delete: `GET /api/v1/storage`. */
import { useQuery } from "@tanstack/react-query";
import { call } from "./client";

export interface Partition {
  name: string;
  state: "default" | "precreated" | "hot" | "sealed" | "frozen";
  /** The first id, and the one after the last; null for the default partition. */
  from: number | null;
  to: number | null;
  bytes: number;
  estimated_rows: number;
}

export interface Retention {
  older_than_seconds: number | null;
  larger_than_bytes: number | null;
  deleted_older_than_seconds: number | null;
}

export interface Blocker {
  partition: string;
  reason: "default_partition" | "takes_inserts" | "has_newer_rows";
  oldest: string | null;
}

export interface PrunePlan {
  deleted_rows: number;
  freed_bytes: number;
  dropped_partitions: { name: string; rows: number; bytes: number }[];
  expired_rows: number;
  soft_deleted_rows: number;
  oldest_remaining: string | null;
  blockers: Blocker[];
}

export interface StoredTable {
  table: string;
  rows: number;
  /** Otherwise sealed records are counted as of their sealing. */
  rows_are_exact: boolean;
  bytes: { table: number; indexes: number; search: number; all: number };
  unsealed_rows: number;
  newest_id: number;
  /** The id up to which records are sealed. */
  sealed_until: number | null;
  oldest: string | null;
  newest: string | null;
  partitions: Partition[];
  retention: Retention;
  /** Null for a table without a retention policy. */
  prune_plan: PrunePlan | null;
}

export interface StorageAnswer {
  data: StoredTable[];
  metadata: { measured_at: string; took_ms: number };
}

/** The server measures at most every 5 seconds, and less often what takes long. */
export function useStorage() {
  return useQuery({ queryKey: ["storage"], queryFn: ({ signal }) => call<StorageAnswer>("/storage", { signal }) });
}

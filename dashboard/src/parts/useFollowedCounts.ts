/** Counts of a live view follow the records that arrive. */
import { useQueryClient } from "@tanstack/react-query";
import type { QueryKey } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { Pace } from "./pace";

/** The shortest time between two counts. */
const LEAST_MS = 1000;

/**
 * Counts again when a record arrived: at once, but at most once a second, only while the page is seen, and the
 * rarer the longer counting takes. `newest` tells records apart; `isCount` names the queries by their keys, and
 * stays the same function.
 */
export function useFollowedCounts(newest: number | null, isCount: (key: QueryKey) => boolean): void {
  const client = useQueryClient();
  const pace = useMemo(() => {
    const count = async () => {
      // A window that goes on counts again when it is seen.
      if (!document.hidden) await client.invalidateQueries({ predicate: ({ queryKey }) => isCount(queryKey) });
    };
    return new Pace(count, LEAST_MS);
  }, [client, isCount]);
  useEffect(() => {
    if (newest !== null) pace.ask();
  }, [newest, pace]);
  useEffect(() => () => pace.stop(), [pace]);
}

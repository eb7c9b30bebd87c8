/** The state of the server: whether it takes records in, and what waits. */
import { useQuery } from "@tanstack/react-query";
import { ApiError, read } from "./client";

/** What `GET /api/v1/status` answers, as far as the page shows it. Every part may be absent: older servers lack it. */
export interface Status {
  version?: string;
  uptime?: number;
  /** Whether records are taken in. */
  takes_writes?: boolean;
  queue?: { used?: number; limit?: number };
  dropped?: number;
  maintenance?: { is_failing?: boolean; unsealed?: number; is_behind?: boolean };
}

/** How often the state is asked for. */
const EVERY_MS = 30_000;

/** The state of the server: null if it does not tell, undefined until it has answered. */
export function useStatus(): Status | null | undefined {
  const query = useQuery({
    queryKey: ["status"],
    queryFn: async ({ signal }): Promise<Status | null> => {
      try {
        return await read<Status>("/status", {}, signal);
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 403)) return null;
        throw error;
      }
    },
    // A server without it is not asked again.
    refetchInterval: ({ state }) => (state.data === null ? false : EVERY_MS),
    staleTime: EVERY_MS,
    retry: false,
  });
  return query.data;
}

/** The request that is open, and what is similar to it. */
import { useQuery } from "@tanstack/react-query";
import { ApiError, list, read } from "../../../api/client";
import type { RequestSnapshot } from "../../../api/client";
import { useParam } from "../../../frame/address";
import type { RequestRow } from "../useRequestList";

export interface OpenRequest {
  record: RequestSnapshot;
  isDeleted: boolean;
}

/** Reads a request, unless the list has it already. A deleted one is read, too: it can be restored. */
export function useRequest(id: number | null, rows: RequestRow[]) {
  const [deleted] = useParam("deleted");
  return useQuery<OpenRequest>({
    queryKey: ["requests", "one", id],
    enabled: id !== null,
    structuralSharing: false,
    queryFn: async ({ signal }) => {
      const path = `/requests/${id ?? 0}`;
      try {
        return { record: await read<RequestSnapshot>(path, {}, signal), isDeleted: false };
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
        return { record: await read<RequestSnapshot>(path, { deleted: "only" }, signal), isDeleted: true };
      }
    },
    initialData: () => {
      const row = rows.find((one) => one.id === id);
      return row && { record: row, isDeleted: deleted === "only" };
    },
  });
}

export function useSimilar(id: number) {
  return useQuery({ queryKey: ["requests", "similar", id], queryFn: async ({ signal }) => (await list<RequestRow>(`/requests/${id}/similar`, { limit: 20, total: "none" }, signal)).data });
}

/** Searches that were saved, and are opened again by their name. A server without them has none. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, call, read } from "./client";

export interface SavedSearch {
  id: number;
  name: string;
  /** The path of its view without the slash: `logs`. */
  view: string;
  /** The parameters of its address. */
  parameters: Record<string, string>;
}

const PATH = "/saved_searches";
const KEY = ["saved-searches"];

/** All saved searches; null while they are not known, and where the server has none. */
async function readAll(signal: AbortSignal): Promise<SavedSearch[] | null> {
  try {
    return await read<SavedSearch[]>(PATH, { limit: 1000 }, signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** The saved searches of a view, or null where the server has none. */
export function useSavedSearches(view: string) {
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: KEY });
  const answer = useQuery({ queryKey: KEY, queryFn: ({ signal }) => readAll(signal), staleTime: Infinity, retry: false });
  const save = useMutation({
    mutationFn: ({ name, parameters }: Pick<SavedSearch, "name" | "parameters">) => call(PATH, { method: "POST", body: { name, view, parameters } }),
    onSuccess: again,
  });
  const remove = useMutation({ mutationFn: (id: number) => call(`${PATH}/${id}`, { method: "DELETE" }), onSuccess: again });
  return { searches: answer.data?.filter((one) => one.view === view) ?? null, save, remove };
}

/** Searches that were saved, and are opened again by their name. A server without them has none. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { formatParams, parseParams } from "../frame/address";
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

/** As the server has it: the parameters are the text behind the `?` of an address. */
type Stored = Omit<SavedSearch, "parameters"> & { parameters: string };

/** All saved searches, or null where the server has none. */
async function readAll(signal: AbortSignal): Promise<SavedSearch[] | null> {
  try {
    const stored = await read<Stored[]>(PATH, { limit: 1000 }, signal);
    return stored.map((one) => ({ ...one, parameters: parseParams(one.parameters) }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** The saved searches of all views: null while they are not known, and where the server has none. */
export function useAllSavedSearches(): SavedSearch[] | null {
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => readAll(signal), staleTime: Infinity, retry: false }).data ?? null;
}

/** The saved searches of a view, or null where the server has none. */
export function useSavedSearches(view: string) {
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: KEY });
  const all = useAllSavedSearches();
  const save = useMutation({
    mutationFn: ({ name, parameters }: Pick<SavedSearch, "name" | "parameters">) => call(PATH, { method: "POST", body: { name, view, parameters: formatParams(parameters).slice(1) } }),
    onSuccess: again,
  });
  const remove = useMutation({ mutationFn: (id: number) => call(`${PATH}/${id}`, { method: "DELETE" }), onSuccess: again });
  return { searches: all?.filter((one) => one.view === view) ?? null, save, remove };
}

/** Searches that the team keeps under names. A server without them has none. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { formatParams, parseParams } from "../frame/address";
import type { Params } from "../frame/address";
import { ApiError, call, read } from "./client";

/** The views that searches can be of, with their paths. */
const PATHS = { overview: "/", logs: "/logs", requests: "/requests", metrics: "/metrics" };
type View = keyof typeof PATHS;

/** As the API has it. */
interface Stored {
  id: number;
  name: string;
  view: View;
  /** The query of the address of the view. */
  parameters: string;
}

export interface SavedSearch {
  id: number;
  name: string;
  path: string;
  params: Params;
}

const PATH = "/saved_searches";
const KEY = ["saved-searches"];
const MOST = 1000;

/** What of an address is of the moment, and is not saved. */
const PASSING = ["open", "tab", "copies", "live", "facets", "shown"];

export function searchOf({ id, name, view, parameters }: Stored): SavedSearch {
  return { id, name, path: PATHS[view], params: parseParams(parameters) };
}

/** What is stored of a view, or null for one that cannot be saved. */
export function storedOf(path: string, params: Params): Pick<Stored, "view" | "parameters"> | null {
  const view = (Object.keys(PATHS) as View[]).find((one) => PATHS[one] === path);
  const kept = Object.fromEntries(Object.entries(params).filter(([name]) => !PASSING.includes(name)));
  return view === undefined ? null : { view, parameters: formatParams(kept).replace(/^\?/, "") };
}

async function readAll(signal: AbortSignal): Promise<SavedSearch[] | null> {
  try {
    return (await read<Stored[]>(PATH, { limit: MOST, order_by: "name,id", total: "none" }, signal)).map(searchOf);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** All saved searches by their names: null while they are not known, and where the server has none. */
export function useSavedSearches(): SavedSearch[] | null {
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => readAll(signal), staleTime: Infinity, retry: false }).data ?? null;
}

/** Saves, renames and deletes searches. */
export function useChangeSaved() {
  const client = useQueryClient();
  const change = async (path: string, method: "POST" | "PATCH" | "DELETE", body?: unknown) => {
    await call(path, body === undefined ? { method } : { method, body });
    await client.invalidateQueries({ queryKey: KEY });
  };
  return {
    save: (name: string, path: string, params: Params) => change(PATH, "POST", { name, ...storedOf(path, params) }),
    rename: (id: number, name: string) => change(`${PATH}/${id}`, "PATCH", { name }),
    remove: (id: number) => change(`${PATH}/${id}`, "DELETE"),
  };
}

/** The state of a view, which is in the address: all of it are strings. */
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { useCallback } from "react";

export type Params = Record<string, string>;

/** Reads the part of an address behind `?`. */
export function parseParams(text: string): Params {
  return Object.fromEntries(new URLSearchParams(text));
}

/** Writes the part of an address behind `?`; what is empty is left out. */
export function formatParams(params: Record<string, unknown>): string {
  const kept = Object.entries(params).filter((pair): pair is [string, string] => typeof pair[1] === "string" && pair[1] !== "");
  const text = new URLSearchParams(kept).toString();
  return text === "" ? "" : `?${text}`;
}

interface Place {
  pathname: string;
  search: unknown;
}
interface Places {
  location: Place;
  matches: Place[];
}

/**
 * The parameters of the view that is shown. While another view is on its way, the address is already that
 * of the other one: the view that is left keeps its own, and asks for nothing that nobody will see.
 */
export function paramsShown(state: Places): Params {
  return (isShown(state) ? state.location.search : state.matches.at(-1)?.search) as Params;
}

/** The path of the view that is shown. */
export function pathShown({ location, matches }: Places): string {
  return matches.at(-1)?.pathname ?? location.pathname;
}

/** Whether the view of the address is the one that is shown. */
export function isShown(state: Places): boolean {
  return pathShown(state) === state.location.pathname;
}

/** All parameters of the address. */
export function useParams(): Params {
  return useRouterState({ select: paramsShown });
}

/** The parameters after a change. The copies of a line that are shown are of one search: another begins without. */
export function changedParams(before: Params, changed: Params): Params {
  const isOther = changed["q"] !== undefined && changed["q"] !== (before["q"] ?? "");
  return { ...before, ...(isOther ? { copies: "" } : {}), ...changed };
}

/** Changes parameters of the address: an empty one is taken away. `replace` leaves no step to go back to. */
export function useSetParams(): (changed: Params, options?: { replace?: boolean; to?: string }) => void {
  const navigate = useNavigate();
  return useCallback(
    (changed, { replace = false, to } = {}) => {
      void navigate({ to: to ?? ".", replace, search: (before: Params) => changedParams(before, changed) });
    },
    [navigate],
  );
}

/** One parameter of the address. */
export function useParam(name: string, fallback = ""): [value: string, set: (value: string, options?: { replace?: boolean }) => void] {
  const value = useRouterState({ select: (state) => paramsShown(state)[name] }) ?? fallback;
  const setParams = useSetParams();
  const set = useCallback(
    (next: string, options?: { replace?: boolean }) => setParams({ [name]: next === fallback ? "" : next }, options),
    [fallback, name, setParams],
  );
  return [value, set];
}

const SHARED = ["range", "q", "live"];

/** The parameters that changing the view keeps: the range, whether it is live, and the search. */
export function sharedParams(params: Params): Params {
  return Object.fromEntries(SHARED.flatMap((name) => (params[name] ? [[name, params[name]]] : [])));
}

/** What the palette has: views, saved and recent searches, endpoints, records by their number, and actions. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { read } from "../api/client";
import { useSavedSearches } from "../api/saved";
import { useIsAdmin, useSession, useLogOut } from "../api/session";
import { recentSearches } from "../query/history";
import { sharedParams, useParams } from "./address";
import type { Params } from "./address";
import { targetsOf } from "./match";
import { useTheme } from "./theme";
import { VIEWS } from "./views";
import { useWindow } from "./window";

export interface Item {
  id: string;
  /** What kind of thing it is. */
  group: string;
  name: string;
  /** Other words by which it is found. */
  also?: string;
  /** Keys that do the same. */
  keys?: string;
  run: () => void;
}

async function readEndpoints(from: Date, until: Date, signal: AbortSignal): Promise<string[]> {
  const { groups } = await read<{ groups: { endpoint: string; requests: number }[] }>(
    "/metrics/aggregate",
    { by: "endpoint", from: from.toISOString(), until: until.toISOString() },
    signal,
  );
  return groups.toSorted((a, b) => b.requests - a.requests).map(({ endpoint }) => endpoint);
}

export interface Actions {
  onKeys: () => void;
  /** Null where what is shown cannot be saved. */
  onSave: (() => void) | null;
  onManage: () => void;
}

/** The items for what is typed that are there whatever it is, and those that only it names. */
export function usePaletteItems(typed: string, { onKeys, onSave, onManage }: Actions): { items: Item[]; named: Item[]; isLoading: boolean } {
  const navigate = useNavigate();
  const session = useSession();
  const isAdmin = useIsAdmin();
  const logOut = useLogOut();
  const [theme, setTheme] = useTheme();
  const shared = sharedParams(useParams());
  const { from, until, text: range, isLive, setLive, refresh } = useWindow();
  const saved = useSavedSearches();
  const endpoints = useQuery({ queryKey: ["palette-endpoints", range], queryFn: ({ signal }) => readEndpoints(from, until, signal), staleTime: 300_000, retry: false });

  const go = (to: string, search: Params) => () => void navigate({ to, search });
  const items: Item[] = [
    ...VIEWS.filter((view) => isAdmin || !view.isForAdmins).map((view) => ({
      id: view.path,
      group: "View",
      name: view.name,
      ...(view.key === undefined ? {} : { keys: `g ${view.key}` }),
      run: go(view.path, shared),
    })),
    { id: "theme", group: "Action", name: theme === "dark" ? "Light theme" : "Dark theme", also: "dark light mode", run: () => setTheme(theme === "dark" ? "light" : "dark") },
    { id: "live", group: "Action", name: isLive ? "Stop live" : "Live", also: "tail follow", keys: "l", run: () => setLive(!isLive) },
    { id: "refresh", group: "Action", name: "Look again", also: "refresh reload", keys: "r", run: refresh },
    { id: "copy", group: "Action", name: "Copy link", also: "url address share", run: () => void navigator.clipboard.writeText(location.href).catch(() => undefined) },
    ...(saved !== null && onSave ? [{ id: "save", group: "Action", name: "Save this search", also: "bookmark keep", run: onSave }] : []),
    ...(saved !== null && saved.length > 0 ? [{ id: "saved", group: "Action", name: "All saved searches", also: "rename delete bookmarks", run: onManage }] : []),
    { id: "keys", group: "Action", name: "Show all keys", also: "shortcuts help", keys: "?", run: onKeys },
    ...(session.user
      ? [
          { id: "password", group: "Action", name: "Account", also: "change password", run: go("/account", {}) },
          { id: "out", group: "Action", name: "Log out", also: "log out", run: () => void logOut() },
        ]
      : []),
    ...(saved ?? []).map((one) => ({ id: `saved ${one.id}`, group: "Saved search", name: one.name, run: go(one.path, one.params) })),
    ...recentSearches().map((text) => ({
      id: `recent ${text}`,
      group: "Recent search",
      name: text,
      // In the view that is shown, or in the logs where it has no search.
      run: go(VIEWS.find((view) => view.path === pathOf() && view.model)?.path ?? "/logs", { ...shared, q: text }),
    })),
    ...(endpoints.data ?? []).map((endpoint) => ({ id: `endpoint ${endpoint}`, group: "Endpoint", name: endpoint, run: go("/metrics", { ...shared, q: "", endpoint }) })),
  ];
  const named = targetsOf(typed).map((target): Item => {
    const base = { id: `${target.kind} ${target.id}`, group: "Record", name: `Open ${target.kind} ${target.id}` };
    // A record is opened whatever the search and the range would leave of it.
    if (target.kind === "trace") return { ...base, run: go("/logs", { ...shared, q: `trace:${target.id}` }) };
    return { ...base, run: go(`/${target.kind}s`, { ...(shared["range"] ? { range: shared["range"] } : {}), open: target.id }) };
  });
  return { items, named, isLoading: endpoints.isFetching && !endpoints.data };
}

function pathOf(): string {
  return location.pathname.replace(/^\/ui/, "") || "/";
}

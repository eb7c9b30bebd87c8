/** What the palette has: views, saved and recent searches, endpoints, records by their number, and actions. */
import { withTimes } from "../parts/links";
import { useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { read } from "../api/client";
import { useSavedSearches } from "../api/saved";
import { useIsAdmin, useSession, useLogOut } from "../api/session";
import { recentSearches } from "../query/history";
import { withFilter } from "../query/parse";
import { COMMON_RANGES, nameRange, parseRange } from "../time/range";
import type { Range } from "../time/range";
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
  /** Whether the view that is shown has a range, and can be saved. */
  hasRange: boolean;
  onSave: () => void;
  onManage: () => void;
}

/** The items for what is typed that are there whatever it is, and those that only it names. */
export function usePaletteItems(typed: string, { hasRange, onKeys, onSave, onManage }: Actions): { items: Item[]; named: Item[]; isLoading: boolean } {
  const navigate = useNavigate();
  const path = useLocation({ select: (location) => location.pathname });
  const session = useSession();
  const isAdmin = useIsAdmin();
  const logOut = useLogOut();
  const [theme, setTheme] = useTheme();
  const shared = sharedParams(useParams());
  const { from, until, text: range, setRange, isLive, setLive, refresh } = useWindow();
  const saved = useSavedSearches();
  const endpoints = useQuery({ queryKey: ["palette-endpoints", range], queryFn: ({ signal }) => readEndpoints(from, until, signal), staleTime: 300_000, retry: false });

  const go = (to: string, search: Params) => () => void navigate({ to, search });
  const items: Item[] = [
    ...VIEWS.filter((view) => isAdmin || !view.isForAdmins).map((view) => ({
      id: view.path,
      group: "View",
      name: view.name,
      also: view.also,
      ...(view.key === undefined ? {} : { keys: `g ${view.key}` }),
      run: go(view.path, shared),
    })),
    ...LOOKS.map(({ name, also, path, params, filter }) => ({
      id: `look ${name}`,
      group: "Look at",
      name,
      also,
      run: go(path, { ...shared, ...params, ...(filter ? { q: withFilter(shared["q"] ?? "", ...filter) } : {}) }),
    })),
    ...(hasRange ? rangeItems(setRange) : []),
    { id: "theme", group: "Action", name: theme === "dark" ? "Light theme" : "Dark theme", also: "dark light mode theme night day colours colors appearance contrast", run: () => setTheme(theme === "dark" ? "light" : "dark") },
    ...(hasRange
      ? [
          { id: "live", group: "Action", name: isLive ? "Stop live" : "Live", also: "tail follow stream auto refresh pause stop start", keys: "l", run: () => setLive(!isLive) },
          { id: "refresh", group: "Action", name: "Refresh", also: "reload update look again", keys: "r", run: refresh },
        ]
      : []),
    { id: "copy", group: "Action", name: "Copy link", also: "url address share send permalink", run: () => void navigator.clipboard.writeText(location.href).catch(() => undefined) },
    ...(hasRange && !range.includes("..")
      ? [{ id: "copy times", group: "Action", name: "Copy link with these times", also: "url address share send permalink absolute fixed", run: () => void navigator.clipboard.writeText(withTimes(location.href, from, until)).catch(() => undefined) }]
      : []),
    ...(saved !== null && hasRange ? [{ id: "save", group: "Action", name: "Save this search", also: "bookmark keep favourite favorite", run: onSave }] : []),
    ...(saved !== null && saved.length > 0 ? [{ id: "saved", group: "Action", name: "All saved searches", also: "rename delete bookmarks favourites favorites", run: onManage }] : []),
    { id: "keys", group: "Action", name: "Show all keys", also: "keyboard shortcuts help hotkeys bindings", keys: "?", run: onKeys },
    ...(session.user
      ? [
          { id: "password", group: "Action", name: "Account", also: "change password profile settings my user", run: go("/account", {}) },
          { id: "out", group: "Action", name: "Log out", also: "sign out logout signout exit quit leave end session sign in log in login as another user switch account", run: () => void logOut() },
        ]
      : []),
    ...(saved ?? []).map((one) => ({ id: `saved ${one.id}`, group: "Saved search", name: one.name, run: go(one.path, one.params) })),
    ...recentSearches().map((text) => ({
      id: `recent ${text}`,
      group: "Recent search",
      name: text,
      // In the view that is shown, or in the logs where it has no search.
      run: go(VIEWS.find((view) => view.path === path && view.model)?.path ?? "/logs", { ...shared, q: text }),
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

/** What one looks for by what is wrong, and the search of a view that shows it. */
const LOOKS: { name: string; also: string; path: string; params?: Params; filter?: [field: string, value: string] }[] = [
  { name: "Errors in the logs", also: "error exceptions failures problems panics", path: "/logs", filter: ["level", "error"] },
  { name: "Warnings in the logs", also: "warn", path: "/logs", filter: ["level", "warn"] },
  { name: "Patterns of log lines", also: "new templates groups frequent", path: "/logs", params: { view: "patterns" } },
  { name: "Failed requests", also: "errors 5xx 500 failures status", path: "/requests", filter: ["status", "5xx"] },
  { name: "Slowest requests", also: "slow latency duration long performance", path: "/requests", params: { order: "slowest" } },
  { name: "Requests by country", also: "places geo map region city", path: "/requests", params: { chart: "country" } },
  { name: "Slowest endpoints", also: "slow latency routes p95 performance", path: "/metrics", params: { sort: "slowest" } },
  { name: "Most failing endpoints", also: "errors error rate routes", path: "/metrics", params: { sort: "failing" } },
];

function rangeItems(setRange: (range: Range) => void): Item[] {
  return COMMON_RANGES.flatMap((text) => {
    const range = parseRange(text);
    return range ? [{ id: `range ${text}`, group: "Range", name: nameRange(range), also: `range time window period ${text}`, run: () => setRange(range) }] : [];
  });
}

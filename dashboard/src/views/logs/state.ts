/** What the view of logs shows, as the address says it. */
import { useCallback, useMemo, useState } from "react";
import { useIsAdmin } from "../../api/session";
import { useParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { parse } from "../../query/parse";
import type { Query } from "../../query/parse";

export type Pairs = [name: string, value: string][];

export interface LogsState {
  /** What was typed into the search. */
  text: string;
  query: Query;
  /** Best hits first, or newest first. */
  order: "ranked" | "newest";
  isFolded: boolean;
  view: "lines" | "patterns";
  /** The line that is open. */
  openId: number | null;
  /** The line whose copies are shown. */
  copiesId: number | null;
  isDeletedShown: boolean;
  isLive: boolean;
  /** The window of the list: that of the frame, which goes on by itself while it is live; the list does not. */
  from: Date;
  until: Date;
  /** How often the window of the list was asked for. */
  asked: number;
  /** The filters of the search and the window, and words as `search` or `match`. */
  parameters: Pairs;
  /** The window, and whether deleted lines are meant: what is there without the search. */
  unsearched: Pairs;
  /** The window of what is counted, which goes on while it is live. */
  current: { from: Date; until: Date; asked: number; parameters: Pairs; parametersOf: (text: string) => Pairs };
}

function idOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : null;
}

/** What a search asks for: by rank, hits that have its words or near ones; else lines with all of them. */
function searched({ filters, words }: Query, order: LogsState["order"]): Pairs {
  return [...filters, ...(words === "" ? [] : [[order === "ranked" ? "search" : "match", words] as [string, string]])];
}

export function useLogsState(): LogsState {
  const params = useParams();
  const shown = useWindow();
  const isAdmin = useIsAdmin();
  const { isLive } = shown;
  // While the window is live, lines come by the tail: the list is that of the start.
  const [start, setStart] = useState(shown);
  const isOther = start.text !== shown.text || start.isLive !== isLive || (!isLive && (start.from !== shown.from || start.asked !== shown.asked));
  if (isOther) setStart(shown);
  const { from, until, asked, filters: windowFilters } = isOther ? shown : start;
  const currentFilters = shown.filters;
  const text = params["q"] ?? "";
  const query = useMemo(() => parse(text, "logs"), [text]);
  const hasWords = query.words !== "";
  const order = hasWords && !isLive && params["order"] !== "newest" ? "ranked" : "newest";
  const isDeletedShown = isAdmin && params["deleted"] === "only";
  const { unsearched, counted } = useMemo(() => {
    const deleted: Pairs = isDeletedShown ? [["deleted", "only"]] : [];
    return { unsearched: [...deleted, ...windowFilters("created_at")], counted: [...deleted, ...currentFilters("created_at")] };
  }, [currentFilters, isDeletedShown, windowFilters]);
  const parameters = useMemo(() => [...searched(query, order), ...unsearched], [order, query, unsearched]);
  const currentParameters = useMemo(() => [...searched(query, order), ...counted], [counted, order, query]);
  const parametersOf = useCallback((other: string) => [...searched(parse(other, "logs"), order), ...counted], [counted, order]);
  return {
    text,
    query,
    order,
    isFolded: params["fold"] === undefined ? order === "ranked" : params["fold"] === "1",
    view: params["view"] === "patterns" ? "patterns" : "lines",
    openId: idOf(params["open"]),
    copiesId: idOf(params["copies"]),
    isDeletedShown,
    isLive,
    from,
    until,
    asked,
    parameters,
    unsearched,
    current: { from: shown.from, until: shown.until, asked: shown.asked, parameters: currentParameters, parametersOf },
  };
}

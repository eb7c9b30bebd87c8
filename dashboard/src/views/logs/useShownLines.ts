/** The rows of the list: what was loaded, what came live, copies folded, and those of one line shown. */
import { useMemo } from "react";
import type { Log } from "../../api/client";
import { countNew } from "../../api/live";
import { useTail } from "../../api/tail";
import { fold, lineOf, withCopiesOf } from "./lines";
import type { Line } from "./lines";
import { COPIES, useCopies, useLines } from "./useLines";
import type { LogsState } from "./state";

/** How many of the loaded lines may have come live, too. */
const OVERLAP = 1000;
/** How many of the last lines a tail begins with: those since the list was loaded. */
const LAST = "200";
const NO_LINES: Line[] = [];

export function useShownLines(state: LogsState, isTailing: boolean, isHeld: boolean) {
  const loaded = useLines(state);
  const tail = useTail<Log>("/logs/tail", [...state.parameters, ["last", LAST]], { isLive: isTailing, isHeld });
  // Once it is off, the list has them.
  const live = useMemo(() => (isTailing ? tail.arrived.map(lineOf) : NO_LINES), [isTailing, tail.arrived]);
  const { copiesId, isFolded, order } = state;

  const all = useMemo(() => {
    if (live.length === 0) return loaded.lines;
    if (tail.isCut) return live;
    const ids = new Set(live.slice(-OVERLAP).map((line) => line.id));
    return [...live, ...loaded.lines.slice(0, OVERLAP).filter((line) => !ids.has(line.id)), ...loaded.lines.slice(OVERLAP)];
  }, [loaded.lines, live, tail.isCut]);
  const waiting = useMemo(() => (tail.waitingCount === 0 ? 0 : countNew(tail, new Set(all.slice(0, OVERLAP).map((line) => line.id)))), [all, tail]);

  // Of those that the tail begins with, the list has all: they are nothing new.
  const arrived = isTailing ? (tail.waiting[0] ?? tail.arrived[0])?.id : undefined;
  const newestId = useMemo(() => (arrived === undefined || loaded.lines.slice(0, OVERLAP).some((line) => line.id === arrived) ? null : arrived), [arrived, loaded.lines]);

  const isRanked = order === "ranked";
  const opened = useMemo(() => (isRanked && copiesId !== null ? (loaded.lines.find((line) => line.id === copiesId && line.copies > 1) ?? null) : null), [copiesId, isRanked, loaded.lines]);
  const copies = useCopies(opened, state);
  const lines = useMemo((): Line[] => {
    if (!isRanked) return isFolded ? fold(all, copiesId, isTailing) : all;
    return opened ? withCopiesOf(all, opened, copies.data ?? NO_LINES) : all;
  }, [all, copies.data, copiesId, isFolded, isRanked, isTailing, opened]);

  return { ...loaded, lines, all, copiesError: copies.error, retryCopies: copies.refetch, tail, isTailing, newestId, waiting, isCopiesCut: (copies.data?.length ?? 0) >= COPIES - 1 && (opened?.copies ?? 0) > COPIES };
}

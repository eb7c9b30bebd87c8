/** The rows of the list: what was loaded, what came live, copies folded, and those of one line shown. */
import { useMemo } from "react";
import { fold } from "./lines";
import type { Line } from "./lines";
import { COPIES, useCopies, useLines } from "./useLines";
import { useTail } from "./useTail";
import type { LogsState } from "./state";

/** How many of the loaded lines may have come live, too. */
const OVERLAP = 1000;

export function useShownLines(state: LogsState, isTailing: boolean, isHeld: boolean) {
  const loaded = useLines(state);
  const tail = useTail(isTailing, state.parameters, isHeld);
  const { copiesId, isFolded, order } = state;

  const all = useMemo(() => {
    if (tail.lines.length === 0) return loaded.lines;
    if (tail.isCut) return tail.lines;
    const live = new Set(tail.lines.slice(-OVERLAP).map((line) => line.id));
    return [...tail.lines, ...loaded.lines.slice(0, OVERLAP).filter((line) => !live.has(line.id)), ...loaded.lines.slice(OVERLAP)];
  }, [loaded.lines, tail.isCut, tail.lines]);

  const isRanked = order === "ranked";
  const opened = useMemo(() => (isRanked && copiesId !== null ? (loaded.lines.find((line) => line.id === copiesId && line.copies > 1) ?? null) : null), [copiesId, isRanked, loaded.lines]);
  const copies = useCopies(opened, state);
  const lines = useMemo((): Line[] => {
    if (!isRanked) return isFolded ? fold(all, copiesId, isTailing) : all;
    const at = opened ? all.indexOf(opened) : -1;
    return at < 0 || !copies.data ? all : [...all.slice(0, at + 1), ...copies.data, ...all.slice(at + 1)];
  }, [all, copies.data, copiesId, isFolded, isRanked, isTailing, opened]);

  return { ...loaded, lines, count: all.length, tail, isCopiesCut: (copies.data?.length ?? 0) >= COPIES - 1 && (opened?.copies ?? 0) > COPIES };
}

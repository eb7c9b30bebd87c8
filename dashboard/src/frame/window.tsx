/** The window of time that all views show, and when it was last asked for (see moment.ts). */
import { useQueryClient } from "@tanstack/react-query";
import { useRouterState } from "@tanstack/react-router";
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { DEFAULT_RANGE, formatRange, parseRange, resolve } from "../time/range";
import type { Range } from "../time/range";
import { isShown, paramsShown, pathShown, useParam } from "./address";
import { goOn, moveTo, startMoment } from "./moment";
import type { Moment, Place } from "./moment";
import { isReading } from "./reading";

interface Shown {
  range: Range;
  /** As it stands in the address. */
  text: string;
  /** What stands in the address instead of a range, if it is none. */
  wrong: string | null;
  setRange: (range: Range) => void;
  from: Date;
  until: Date;
  /** When it was last asked for. */
  now: Date;
  /** Whether it ends before it was asked for, so that it stays as it is. */
  isOver: boolean;
  /** Tells one time of asking from others: part of the keys of all that it shows, since the ends of a fixed range stay the same. */
  asked: number;
  /** Parameters that restrict a time of a record to the window. */
  filters: (field: string) => [string, string][];
  /** Asks again, up to now. Without it, what a view shows moves only while the window is live, or after one was away. */
  refresh: () => void;
  isLive: boolean;
  setLive: (isLive: boolean) => void;
}

const WindowContext = createContext<Shown | null>(null);

/** How often a live window asks again, and how often it looks whether it may. */
const LIVE_MS = 5000;
const LOOK_MS = 500;
/** Who was away from the page for as long does not look for what was there before. */
const AWAY_MS = 30_000;

/** The place of the history that is drawn. While another view is on its way, it is that of the view that is left. */
function usePlace(): Place {
  const question = useRouterState({ select: questionShown });
  const entry = useRouterState({ select: ({ location, matches }) => (isShown({ location, matches }) ? (location.state.__TSR_key ?? "") : null) });
  const [shown, setShown] = useState(entry ?? "");
  if (entry !== null && entry !== shown) setShown(entry);
  return useMemo(() => ({ question, entry: entry ?? shown }), [entry, question, shown]);
}

function questionShown(state: Parameters<typeof paramsShown>[0]): string {
  const { q = "", range = DEFAULT_RANGE } = paramsShown(state);
  return JSON.stringify([pathShown(state), q, range]);
}

function movedTo(before: Moment, place: Place): Moment {
  return moveTo(before, place, new Date());
}

export function WindowProvider({ children }: { children: ReactNode }) {
  const [text, setText] = useParam("range", DEFAULT_RANGE);
  const [live, setLiveText] = useParam("live");
  const place = usePlace();
  const [held, setHeld] = useState(() => startMoment(place, new Date()));
  // Set before anything below is drawn, so that nothing is asked for with the moment of the place before.
  if (held.question !== place.question || held.entry !== place.entry) setHeld(movedTo(held, place));
  const { now } = held;
  const [refreshes, setRefreshes] = useState(0);
  const isLive = live === "1";
  const refresh = useCallback(() => {
    setHeld((before) => goOn(before, new Date()));
    setRefreshes((before) => before + 1);
  }, []);

  const client = useQueryClient();
  useEffect(() => {
    if (!isLive) return;
    let last = Date.now();
    const timer = setInterval(() => {
      // To ask again ends what is awaited: a slow answer would never come.
      if (document.hidden || Date.now() - last < LIVE_MS || client.isFetching() > 0) return;
      last = Date.now();
      setHeld((before) => goOn(before, new Date()));
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [client, isLive]);

  useEffect(() => {
    let left: number | null = null;
    const look = () => {
      const wasAway = left !== null && Date.now() - left > AWAY_MS;
      left = document.hidden ? Date.now() : null;
      // What is being read stays; how old it is stands beside the range.
      if (!document.hidden && wasAway && !isReading()) setHeld((before) => goOn(before, new Date()));
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);

  const shown = useMemo<Shown>(() => {
    const written = parseRange(text);
    const range = written ?? { kind: "last", amount: 1, unit: "h" };
    const { from, until } = resolve(range, now);
    const isOver = range.kind === "between" && until <= now;
    return {
      range,
      text: formatRange(range),
      wrong: written === null && text !== "" ? text : null,
      setRange: (next) => {
        const nextText = formatRange(next);
        if (nextText === text) refresh();
        setText(nextText);
      },
      from,
      until,
      now,
      isOver,
      asked: refreshes + (isOver ? 0 : now.getTime()),
      filters: (field) => [
        [`${field}__gte`, from.toISOString()],
        // While it is live, what arrives is part of it.
        ...(range.kind === "between" || !isLive ? [[`${field}__lt`, until.toISOString()] as [string, string]] : []),
      ],
      refresh,
      isLive,
      setLive: (next) => setLiveText(next ? "1" : "", { replace: true }),
    };
  }, [isLive, now, refresh, refreshes, setLiveText, setText, text]);

  return <WindowContext.Provider value={shown}>{children}</WindowContext.Provider>;
}

/** The window of time of the view. */
export function useWindow(): Shown {
  const shown = useContext(WindowContext);
  if (shown === null) throw new Error("no window");
  return shown;
}

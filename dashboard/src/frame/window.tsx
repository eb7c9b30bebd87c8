/** The window of time that all views show, and when it was last asked for. */
import { useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { DEFAULT_RANGE, formatRange, parseRange, resolve } from "../time/range";
import type { Range } from "../time/range";
import { useParam } from "./address";

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
  /** How often it was asked for by hand: part of the keys of all that it shows, since a fixed range stays the same. */
  asked: number;
  /** Parameters that restrict a time of a record to the window. */
  filters: (field: string) => [string, string][];
  /** Asks again, up to now. Nothing moves without it, unless the window is live. */
  refresh: () => void;
  isLive: boolean;
  setLive: (isLive: boolean) => void;
}

const WindowContext = createContext<Shown | null>(null);

/** How often a live window asks again, and how often it looks whether it may. */
const LIVE_MS = 5000;
const LOOK_MS = 500;

export function WindowProvider({ children }: { children: ReactNode }) {
  const [text, setText] = useParam("range", DEFAULT_RANGE);
  const [live, setLiveText] = useParam("live");
  const [lastNow, setNow] = useState(() => new Date());
  // A range that is chosen ends now; the one before is not asked for once more until the address has the new one.
  const [chosen, setChosen] = useState<{ text: string; now: Date } | null>(null);
  const now = chosen?.text === text && chosen.now > lastNow ? chosen.now : lastNow;
  const [asked, setAsked] = useState(0);
  const isLive = live === "1";
  const refresh = useCallback(() => {
    setNow(new Date());
    setAsked((before) => before + 1);
  }, []);

  const client = useQueryClient();
  useEffect(() => {
    if (!isLive) return;
    let last = Date.now();
    const timer = setInterval(() => {
      // To ask again ends what is awaited: a slow answer would never come.
      if (document.hidden || Date.now() - last < LIVE_MS || client.isFetching() > 0) return;
      last = Date.now();
      setNow(new Date());
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [client, isLive]);

  const shown = useMemo<Shown>(() => {
    const written = parseRange(text);
    const range = written ?? { kind: "last", amount: 1, unit: "h" };
    const { from, until } = resolve(range, now);
    return {
      range,
      text: formatRange(range),
      wrong: written === null && text !== "" ? text : null,
      setRange: (next) => {
        const nextText = formatRange(next);
        if (nextText === text) refresh();
        else setChosen({ text: nextText, now: new Date() });
        setText(nextText);
      },
      from,
      until,
      now,
      asked,
      filters: (field) => [
        [`${field}__gte`, from.toISOString()],
        ...(range.kind === "between" ? [[`${field}__lt`, until.toISOString()] as [string, string]] : []),
      ],
      refresh,
      isLive,
      setLive: (next) => setLiveText(next ? "1" : "", { replace: true }),
    };
  }, [asked, isLive, now, refresh, setLiveText, setText, text]);

  return <WindowContext.Provider value={shown}>{children}</WindowContext.Provider>;
}

/** The window of time of the view. */
export function useWindow(): Shown {
  const shown = useContext(WindowContext);
  if (shown === null) throw new Error("no window");
  return shown;
}

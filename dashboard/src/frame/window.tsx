/** The window of time that all views show, and when it was last asked for. */
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { DEFAULT_RANGE, formatRange, parseRange, resolve } from "../time/range";
import type { Range } from "../time/range";
import { useParam } from "./address";

interface Shown {
  range: Range;
  /** As it stands in the address. */
  text: string;
  setRange: (range: Range) => void;
  from: Date;
  until: Date;
  /** When it was last asked for. */
  now: Date;
  /** Parameters that restrict a time of a record to the window. */
  filters: (field: string) => [string, string][];
  /** Asks again, up to now. Nothing moves without it, unless the window is live. */
  refresh: () => void;
  isLive: boolean;
  setLive: (isLive: boolean) => void;
}

const WindowContext = createContext<Shown | null>(null);

/** How often a live window asks again. */
const LIVE_MS = 5000;

export function WindowProvider({ children }: { children: ReactNode }) {
  const [text, setText] = useParam("range", DEFAULT_RANGE);
  const [live, setLiveText] = useParam("live");
  const [now, setNow] = useState(() => new Date());
  const isLive = live === "1";
  const refresh = useCallback(() => setNow(new Date()), []);

  useEffect(() => {
    if (!isLive) return;
    const timer = setInterval(() => {
      if (!document.hidden) refresh();
    }, LIVE_MS);
    return () => clearInterval(timer);
  }, [isLive, refresh]);

  const shown = useMemo<Shown>(() => {
    const range = parseRange(text) ?? { kind: "last", amount: 1, unit: "h" };
    const { from, until } = resolve(range, now);
    return {
      range,
      text: formatRange(range),
      setRange: (next) => {
        setNow(new Date());
        setText(formatRange(next));
      },
      from,
      until,
      now,
      filters: (field) => [
        [`${field}__gte`, from.toISOString()],
        ...(range.kind === "between" ? [[`${field}__lt`, until.toISOString()] as [string, string]] : []),
      ],
      refresh,
      isLive,
      setLive: (next) => setLiveText(next ? "1" : "", { replace: true }),
    };
  }, [isLive, now, refresh, setLiveText, setText, text]);

  return <WindowContext.Provider value={shown}>{children}</WindowContext.Provider>;
}

/** The window of time of the view. */
export function useWindow(): Shown {
  const shown = useContext(WindowContext);
  if (shown === null) throw new Error("no window");
  return shown;
}

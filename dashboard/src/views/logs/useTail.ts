/** The lines that arrived while the view is live, the newest first. */
import { useCallback, useEffect, useReducer, useState } from "react";
import type { Log } from "../../api/client";
import { lineOf } from "./lines";
import type { Line } from "./lines";
import type { Pairs } from "./state";
import { Tail } from "./tail";
import type { TailState } from "./tail";

/** How many lines a live view keeps. */
export const MOST_LIVE = 5000;

export interface Live {
  lines: Line[];
  /** Those that wait until the list is at its top. */
  waiting: Line[];
  /** How many have arrived and wait, which may be more than are kept. */
  waitingCount: number;
  isHeld: boolean;
  /** Whether lines were given up for newer ones. */
  isCut: boolean;
}

type Change = { kind: "arrived"; logs: Log[] } | { kind: "held"; isHeld: boolean } | { kind: "show" } | { kind: "empty" };

export const NOTHING: Live = { lines: [], waiting: [], waitingCount: 0, isHeld: false, isCut: false };

export function reduceLive(live: Live, change: Change): Live {
  switch (change.kind) {
    case "arrived": {
      const arrived = change.logs.map(lineOf).reverse();
      if (live.isHeld) {
        const waiting = [...arrived, ...live.waiting];
        return { ...live, waiting: waiting.slice(0, MOST_LIVE), waitingCount: live.waitingCount + arrived.length };
      }
      return join(live, arrived);
    }
    case "held":
      return change.isHeld ? { ...live, isHeld: true } : { ...join(live, live.waiting), waiting: [], waitingCount: 0, isHeld: false };
    case "show":
      return { ...join(live, live.waiting), waiting: [], waitingCount: 0 };
    case "empty":
      return { ...NOTHING, isHeld: live.isHeld };
  }
}

function join(live: Live, arrived: Line[]): Live {
  if (arrived.length === 0) return live;
  const lines = [...arrived, ...live.lines];
  return { ...live, lines: lines.slice(0, MOST_LIVE), isCut: live.isCut || lines.length > MOST_LIVE || live.waitingCount > MOST_LIVE };
}

export function useTail(isOn: boolean, parameters: Pairs, isHeld: boolean) {
  const [live, change] = useReducer(reduceLive, NOTHING);
  const [state, setState] = useState<TailState | null>(null);
  const key = JSON.stringify(parameters);
  useEffect(() => {
    if (!isOn) return;
    const tail = new Tail(JSON.parse(key) as Pairs, {
      onLines: (logs) => change({ kind: "arrived", logs }),
      onState: setState,
    });
    return () => {
      tail.close();
      setState(null);
      change({ kind: "empty" });
    };
  }, [isOn, key]);
  useEffect(() => change({ kind: "held", isHeld }), [isHeld]);
  const show = useCallback(() => change({ kind: "show" }), []);
  return { ...live, state, show };
}

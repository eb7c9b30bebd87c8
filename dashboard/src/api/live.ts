/** What has arrived while a view is live, the newest first, and what of it waits to be shown. */

/** How many records are kept: a tail that runs for hours needs no more memory than one of minutes. */
export const MOST_LIVE = 5000;

export interface Live<T> {
  /** The records that are shown. */
  arrived: T[];
  /** Those that wait, so that nothing moves under one who reads. */
  waiting: T[];
  /** How many wait, which may be more than are kept. */
  waitingCount: number;
  isHeld: boolean;
  /** Whether records were given up for newer ones. */
  isCut: boolean;
}

/** `arrived`: in the order of their arrival. */
export type Change<T> = { kind: "arrived"; records: T[] } | { kind: "held"; isHeld: boolean } | { kind: "show" };

export function nothingLive<T>(): Live<T> {
  return { arrived: [], waiting: [], waitingCount: 0, isHeld: false, isCut: false };
}

export function reduceLive<T>(live: Live<T>, change: Change<T>): Live<T> {
  switch (change.kind) {
    case "arrived": {
      const newest = change.records.toReversed();
      if (!live.isHeld) return join(live, newest);
      return { ...live, waiting: [...newest, ...live.waiting].slice(0, MOST_LIVE), waitingCount: live.waitingCount + newest.length };
    }
    case "held":
      if (live.isHeld === change.isHeld) return live;
      return change.isHeld ? { ...live, isHeld: true } : { ...showAll(live), isHeld: false };
    case "show":
      return showAll(live);
  }
}

function showAll<T>(live: Live<T>): Live<T> {
  return live.waiting.length === 0 ? live : { ...join(live, live.waiting), waiting: [], waitingCount: 0 };
}

function join<T>(live: Live<T>, newest: T[]): Live<T> {
  if (newest.length === 0) return live;
  const all = [...newest, ...live.arrived];
  return { ...live, arrived: all.slice(0, MOST_LIVE), isCut: live.isCut || all.length > MOST_LIVE || live.waitingCount > MOST_LIVE };
}

/** How many of the records that wait are not known already: a tail begins with some that are. */
export function countNew<T extends { id: number }>({ waiting, waitingCount }: Live<T>, known: ReadonlySet<number>): number {
  return waiting.reduce((sum, { id }) => sum + (known.has(id) ? 0 : 1), waitingCount - waiting.length);
}

/** Records as they arrive, by server-sent events. */
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { address, call } from "./client";

/** What has arrived so far. */
export interface Tail<T> {
  /** The records, the newest first. Beyond `MOST_KEPT` the oldest are let go. */
  arrived: T[];
  /** `lost`: the connection ended, and is made again by itself. */
  state: "off" | "connecting" | "open" | "lost";
  /** How often the connection was tried since it was lost. */
  retries: number;
  /** Lets all records go that have arrived. */
  clear: () => void;
}

/** How many records are kept: a tail that runs for hours needs no more memory than one of minutes. */
export const MOST_KEPT = 5000;
/** The pause between two updates of the page: shorter than one can read, longer than that between two records. */
const PAUSE_MS = 200;
const LONGEST_WAIT_MS = 30_000;

/**
 * Follows `/logs/tail` or `/requests/tail` while `isLive`. When it is turned off and on again with the
 * same parameters, it goes on behind the last record that arrived. With `["last", "50"]` among the
 * parameters it begins with records of before.
 */
export function useTail<T>(path: string, parameters: [string, string][], isLive: boolean): Tail<T> {
  const key = address(path, parameters);
  const connection = useMemo(() => new TailConnection<T>(key), [key]);
  useEffect(() => {
    if (!isLive) return;
    connection.open();
    return () => connection.close();
  }, [connection, isLive]);
  return useSyncExternalStore(connection.subscribe, connection.read);
}

/** One tail, outside of React. */
export class TailConnection<T> {
  private source: EventSource | null = null;
  private lastId = "";
  private pending: T[] = [];
  private flushing: ReturnType<typeof setTimeout> | undefined;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Set<() => void>();
  private shown: Tail<T>;

  constructor(private readonly url: string) {
    this.shown = { arrived: [], state: "off", retries: 0, clear: () => this.clear() };
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  readonly read = () => this.shown;

  open(): void {
    this.show({ state: this.shown.retries > 0 ? "lost" : "connecting" });
    this.connect();
  }

  close(): void {
    this.disconnect();
    this.flush();
    this.show({ state: "off", retries: 0 });
  }

  private clear(): void {
    this.pending = [];
    this.show({ arrived: [] });
  }

  private connect(): void {
    const source = new EventSource(this.addressBehindLast());
    this.source = source;
    const keep = (event: Event) => {
      if (event instanceof MessageEvent && event.lastEventId !== "") this.lastId = event.lastEventId;
    };
    source.onopen = () => this.show({ state: "open", retries: 0 });
    source.addEventListener("start", keep);
    source.onmessage = (event: MessageEvent<string>) => {
      keep(event);
      this.pending.push(JSON.parse(event.data) as T);
      if (this.pending.length > 2 * MOST_KEPT) this.pending = this.pending.slice(-MOST_KEPT);
      this.flushing ??= setTimeout(() => this.flush(), PAUSE_MS);
    };
    source.addEventListener("end", (event: MessageEvent<string>) => {
      const { reason, last_event_id } = JSON.parse(event.data) as { reason?: string; last_event_id?: string };
      if (last_event_id !== undefined) this.lastId = last_event_id;
      this.tryLater();
      // The answer to this signs out who may not read any more.
      if (reason === "access") void call("/logs", { parameters: { limit: 0 } }).catch(() => undefined);
    });
    source.onerror = () => this.tryLater();
  }

  /** The address that goes on where the tail was: `EventSource` does so by itself only for the same connection. */
  private addressBehindLast(): string {
    if (this.lastId === "") return this.url;
    const url = new URL(this.url, location.origin);
    url.searchParams.delete("last");
    url.searchParams.set("after", this.lastId);
    return url.pathname + url.search;
  }

  private tryLater(): void {
    this.disconnect();
    const retries = this.shown.retries + 1;
    this.show({ state: "lost", retries });
    this.waiting = setTimeout(() => this.connect(), Math.min(1000 * 2 ** (retries - 1), LONGEST_WAIT_MS));
  }

  private disconnect(): void {
    this.source?.close();
    this.source = null;
    clearTimeout(this.waiting);
  }

  private flush(): void {
    clearTimeout(this.flushing);
    this.flushing = undefined;
    if (this.pending.length === 0) return;
    const arrived = [...this.pending.reverse(), ...this.shown.arrived].slice(0, MOST_KEPT);
    this.pending = [];
    this.show({ arrived });
  }

  private show(changed: Partial<Tail<T>>): void {
    this.shown = { ...this.shown, ...changed };
    this.listeners.forEach((listener) => listener());
  }
}

/** Records as they arrive, by server-sent events. */
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { address, call } from "./client";
import { MOST_LIVE, nothingLive, reduceLive } from "./live";
import type { Change, Live } from "./live";

/** What has arrived so far, and how the connection is. */
export interface Tail<T> extends Live<T> {
  /** `lost`: the connection ended, and is made again by itself. */
  state: "off" | "connecting" | "open" | "lost";
  /** How often the connection was tried since it was lost. */
  retries: number;
  /** Why the server ended it, as one says it; null if it did not say. */
  reason: string | null;
  /** Shows the records that wait. */
  show: () => void;
}
/** The pause between two updates of the page: shorter than one can read, longer than that between two records. */
const PAUSE_MS = 200;
const LONGEST_WAIT_MS = 30_000;

const REASONS: Record<string, string> = {
  slow: "This page read too slowly.",
  shutdown: "The server was shut down.",
  access: "Your access has ended.",
  error: "The server met an error.",
};

interface Options {
  isLive: boolean;
  /** Whether what arrives waits: one reads, or is not at the top of the list. */
  isHeld: boolean;
}

/**
 * Follows `/logs/tail` or `/requests/tail` while `isLive`. When it is turned off and on again with the
 * same parameters, it goes on behind the last record that arrived. With `["last", "50"]` among the
 * parameters it begins with records of before.
 */
export function useTail<T>(path: string, parameters: [string, string][], { isLive, isHeld }: Options): Tail<T> {
  const key = address(path, parameters);
  const connection = useMemo(() => new TailConnection<T>(key), [key]);
  useEffect(() => {
    if (!isLive) return;
    connection.open();
    return () => connection.close();
  }, [connection, isLive]);
  useEffect(() => connection.hold(isHeld), [connection, isHeld]);
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
    this.shown = { ...nothingLive<T>(), state: "off", retries: 0, reason: null, show: () => this.change({ kind: "show" }) };
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
    this.show({ state: "off", retries: 0, reason: null });
  }

  hold(isHeld: boolean): void {
    this.change({ kind: "held", isHeld });
  }

  private connect(): void {
    const source = new EventSource(this.addressBehindLast());
    this.source = source;
    const keep = (event: Event) => {
      if (event instanceof MessageEvent && event.lastEventId !== "") this.lastId = event.lastEventId;
    };
    source.onopen = () => this.show({ state: "open", retries: 0, reason: null });
    source.addEventListener("start", keep);
    source.onmessage = (event: MessageEvent<string>) => {
      keep(event);
      this.pending.push(JSON.parse(event.data) as T);
      if (this.pending.length > 2 * MOST_LIVE) this.pending = this.pending.slice(-MOST_LIVE);
      this.flushing ??= setTimeout(() => this.flush(), PAUSE_MS);
    };
    source.addEventListener("end", (event: MessageEvent<string>) => {
      const { reason = "", detail, last_event_id } = JSON.parse(event.data) as { reason?: string; detail?: string; last_event_id?: string };
      if (last_event_id) this.lastId = last_event_id;
      this.tryLater(REASONS[reason] ?? detail ?? null);
      // The answer to this logs out who may not read any more.
      if (reason === "access") void call("/logs", { parameters: { limit: 0 } }).catch(() => undefined);
    });
    source.onerror = () => this.tryLater(this.shown.reason);
  }

  /** The address that goes on where the tail was: `EventSource` does so by itself only for the same connection. */
  private addressBehindLast(): string {
    if (this.lastId === "") return this.url;
    const url = new URL(this.url, location.origin);
    url.searchParams.delete("last");
    url.searchParams.set("after", this.lastId);
    return url.pathname + url.search;
  }

  private tryLater(reason: string | null): void {
    this.disconnect();
    const retries = this.shown.retries + 1;
    this.show({ state: "lost", retries, reason });
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
    const records = this.pending;
    this.pending = [];
    this.change({ kind: "arrived", records });
  }

  private change(change: Change<T>): void {
    const next = reduceLive<T>(this.shown, change);
    if (next !== this.shown) this.show(next);
  }

  private show(changed: Partial<Tail<T>>): void {
    this.shown = { ...this.shown, ...changed };
    this.listeners.forEach((listener) => listener());
  }
}

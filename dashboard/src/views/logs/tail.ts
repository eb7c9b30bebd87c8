/** Follows the log: lines as they arrive, gathered so that many of them are one drawing. */
import { address, call } from "../../api/client";
import type { Log } from "../../api/client";
import type { Pairs } from "./state";

export interface TailState {
  status: "connecting" | "open" | "waiting";
  /** Why the server ended the tail, as it says itself. */
  reason: string | null;
  /** How often it was connected again since lines came last. */
  retries: number;
}

interface Listener {
  onLines: (logs: Log[]) => void;
  onState: (state: TailState) => void;
}

/** How often gathered lines are handed on, at most. */
const GATHER_MS = 100;
/** How many lines are gathered while nothing is drawn, as in a tab behind others. */
const MOST = 5000;
/** How many of the last lines come first: those since the list was loaded. */
const OVERLAP = 200;
const LONGEST_WAIT_MS = 30_000;

const REASONS: Record<string, string> = {
  slow: "This page read too slowly.",
  shutdown: "The server was shut down.",
  access: "Your access has ended.",
  error: "The server met an error.",
};

export class Tail {
  private source: EventSource | null = null;
  private gathered: Log[] = [];
  private frame: number | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private lastFlush = 0;
  private lastId = "";
  private state: TailState = { status: "connecting", reason: null, retries: 0 };
  private isClosed = false;

  constructor(
    private readonly parameters: Pairs,
    private readonly listener: Listener,
  ) {
    this.connect();
  }

  close(): void {
    this.isClosed = true;
    this.source?.close();
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.frame !== null) cancelAnimationFrame(this.frame);
  }

  private say(change: Partial<TailState>): void {
    this.state = { ...this.state, ...change };
    this.listener.onState(this.state);
  }

  private connect(): void {
    const place: Pairs = this.lastId === "" ? [["last", String(OVERLAP)]] : [["after", this.lastId]];
    const source = new EventSource(address("/logs/tail", [...this.parameters, ...place]));
    this.source = source;
    source.addEventListener("open", () => this.say({ status: "open" }));
    source.addEventListener("message", (event: MessageEvent<string>) => {
      if (event.lastEventId !== "") this.lastId = event.lastEventId;
      this.gather(JSON.parse(event.data) as Log);
    });
    source.addEventListener("end", (event: MessageEvent<string>) => {
      const { reason, detail, last_event_id: lastId } = JSON.parse(event.data) as { reason: string; detail?: string; last_event_id?: string };
      if (lastId) this.lastId = lastId;
      source.close();
      this.again(REASONS[reason] ?? detail ?? reason);
      // The answer to this signs out a user who may not read any more.
      if (reason === "access") call("/logs", { parameters: { limit: 0 } }).catch(() => undefined);
    });
    source.addEventListener("error", () => {
      // While it is not closed, the browser connects again by itself, and says where it was.
      if (source.readyState === EventSource.CLOSED) this.again(null);
      else this.say({ status: "waiting", retries: this.state.retries + 1 });
    });
  }

  private again(reason: string | null): void {
    if (this.isClosed) return;
    const { retries } = this.state;
    this.say({ status: "waiting", reason: reason ?? this.state.reason, retries: retries + 1 });
    this.timer = setTimeout(() => this.connect(), Math.min(1000 * 2 ** retries, LONGEST_WAIT_MS));
  }

  private gather(log: Log): void {
    if (this.state.retries > 0 || this.state.reason !== null) this.say({ status: "open", reason: null, retries: 0 });
    this.gathered.push(log);
    if (this.gathered.length > 2 * MOST) this.gathered = this.gathered.slice(-MOST);
    this.frame ??= requestAnimationFrame(this.flush);
  }

  private readonly flush = (now: number): void => {
    if (now - this.lastFlush < GATHER_MS) {
      this.frame = requestAnimationFrame(this.flush);
      return;
    }
    this.frame = null;
    this.lastFlush = now;
    const logs = this.gathered.slice(-MOST);
    this.gathered = [];
    this.listener.onLines(logs);
  };
}

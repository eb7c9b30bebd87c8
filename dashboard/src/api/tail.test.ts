import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MOST_LIVE } from "./live";
import { TailConnection } from "./tail";

class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((event: MessageEvent<string>) => void) | null = null;
  isClosed = false;
  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }
  close(): void {
    this.isClosed = true;
  }
  send(id: number): void {
    this.onmessage?.(new MessageEvent("message", { data: JSON.stringify({ id }), lastEventId: `e${id}` }));
  }
}

beforeEach(() => {
  FakeSource.all = [];
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeSource);
  vi.stubGlobal("location", { origin: "http://localhost" });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function open() {
  const tail = new TailConnection<{ id: number }>("/api/v1/requests/tail?last=50&stage=demo");
  tail.open();
  return tail;
}

test("records come together, the newest first", () => {
  const tail = open();
  const updates = vi.fn();
  tail.subscribe(updates);
  const source = FakeSource.all[0];
  source?.onopen?.();
  source?.send(1);
  source?.send(2);
  expect(tail.read().arrived).toEqual([]);
  vi.advanceTimersByTime(250);
  expect(tail.read()).toMatchObject({ arrived: [{ id: 2 }, { id: 1 }], state: "open" });
  expect(updates).toHaveBeenCalledTimes(2);
});

test("a tail that ends goes on behind its last record", () => {
  const tail = open();
  FakeSource.all[0]?.send(7);
  FakeSource.all[0]?.dispatchEvent(new MessageEvent("end", { data: '{"reason":"slow","last_event_id":"e9"}' }));
  expect(tail.read()).toMatchObject({ state: "lost", retries: 1, reason: "This page read too slowly." });
  vi.advanceTimersByTime(1000);
  expect(FakeSource.all.map((source) => [source.url, source.isClosed])).toEqual([
    ["/api/v1/requests/tail?last=50&stage=demo", true],
    ["/api/v1/requests/tail?stage=demo&after=e9", false],
  ]);
  FakeSource.all[1]?.onopen?.();
  expect(tail.read()).toMatchObject({ state: "open", retries: 0, reason: null, arrived: [{ id: 7 }] });
});

test("a closed tail keeps what arrived, and asks no more", () => {
  const tail = open();
  FakeSource.all[0]?.send(1);
  FakeSource.all[0]?.onerror?.();
  tail.close();
  vi.advanceTimersByTime(60_000);
  expect(FakeSource.all).toHaveLength(1);
  expect(tail.read()).toMatchObject({ state: "off", arrived: [{ id: 1 }] });
});

test("the oldest of very many are let go", () => {
  const tail = open();
  for (let id = 1; id <= MOST_LIVE + 5; id++) FakeSource.all[0]?.send(id);
  vi.advanceTimersByTime(250);
  expect(tail.read().arrived).toHaveLength(MOST_LIVE);
  expect(tail.read().arrived[0]).toEqual({ id: MOST_LIVE + 5 });
});

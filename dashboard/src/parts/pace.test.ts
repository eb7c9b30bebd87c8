import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pace } from "./pace";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A task that takes a while, and the times of its starts. */
function task(takesMs: number) {
  const starts: number[] = [];
  const first = Date.now();
  const run = () => {
    starts.push(Date.now() - first);
    return new Promise((resolve) => setTimeout(resolve, takesMs));
  };
  return { starts, pace: new Pace(run, 1000) };
}

test("the first time is at once, and others are a second apart", async () => {
  const { starts, pace } = task(10);
  for (let at = 0; at < 2500; at += 100) {
    pace.ask();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(starts).toEqual([0, 1000, 2000]);
});

test("what is asked for while it runs is done once more, and not beside it", async () => {
  const { starts, pace } = task(500);
  pace.ask();
  await vi.advanceTimersByTimeAsync(100);
  pace.ask();
  pace.ask();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(starts).toEqual([0, 5000]);
});

test("what takes long is done rarely", async () => {
  const { starts, pace } = task(1200);
  for (let at = 0; at < 25_000; at += 500) {
    pace.ask();
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(starts).toEqual([0, 12_000, 24_000]);
});

test("nothing is done after it was stopped", async () => {
  const { starts, pace } = task(10);
  pace.ask();
  pace.stop();
  await vi.advanceTimersByTimeAsync(5000);
  expect(starts).toEqual([]);
});

import { expect, test } from "vitest";
import { goOn, KEPT_MS, moveTo, startMoment } from "./moment";

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 29, 12) + seconds * 1000);
const logs = { entry: "a", question: "/logs 1h" };

test("another view, search or range ends when it is asked for", () => {
  const start = startMoment(logs, at(0));
  expect(moveTo(start, { entry: "b", question: "/requests 1h" }, at(75)).now).toEqual(at(75));
});

test("what belongs to the same question moves nothing, also after it went on", () => {
  const opened = moveTo(startMoment(logs, at(0)), { ...logs, entry: "b" }, at(30));
  expect(opened.now).toEqual(at(0));
  const refreshed = goOn(opened, at(40));
  expect(moveTo(refreshed, logs, at(50)).now).toEqual(at(40));
});

test("going back shows what was there, unless it is long ago", () => {
  const away = moveTo(startMoment(logs, at(0)), { entry: "b", question: "/requests 1h" }, at(10));
  expect(moveTo(away, logs, at(60)).now).toEqual(at(0));
  const late = at(KEPT_MS / 1000 + 1);
  expect(moveTo(away, logs, late).now).toEqual(late);
});

test("a place whose address was replaced has no moment of what was there", () => {
  const away = moveTo(startMoment(logs, at(0)), { entry: "b", question: "/requests 1h" }, at(10));
  expect(moveTo(away, { entry: "a", question: "/logs 7d" }, at(60)).now).toEqual(at(60));
});

import { expect, test } from "vitest";
import { parseRange } from "../time/range";
import { withoutOpen, withTimes } from "./links";

test("a link with its times keeps the rest of the address, and is live no more", () => {
  const url = new URL(withTimes("http://127.0.0.1:4000/ui/logs?range=1h&q=a+b&live=1", new Date("2026-11-29T10:00:00Z"), new Date("2026-11-29T11:00:00Z")));
  expect(url.searchParams.get("q")).toBe("a b");
  expect(url.searchParams.has("live")).toBe(false);
  expect(parseRange(url.searchParams.get("range") ?? "")).toEqual({ kind: "between", from: new Date("2026-11-29T10:00:00Z"), until: new Date("2026-11-29T11:00:00Z") });
});

test("a link to a view has no record that is open in it", () => {
  const url = new URL(withoutOpen("http://127.0.0.1:4000/ui/logs?q=a+b&open=7&tab=trace&range=1h"));
  expect(Object.fromEntries(url.searchParams)).toEqual({ q: "a b", range: "1h" });
});

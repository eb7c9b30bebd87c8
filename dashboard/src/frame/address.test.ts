import { expect, test } from "vitest";
import { changedParams, formatParams, paramsShown, sharedParams } from "./address";

test("a view that is left keeps its parameters until the next one is there", () => {
  const overview = { pathname: "/", search: { range: "1h" } };
  const next = { pathname: "/logs", search: { range: "1h", q: "level:error" } };
  expect(paramsShown({ location: next, matches: [{ pathname: "/", search: {} }, overview] })).toEqual({ range: "1h" });
  expect(paramsShown({ location: next, matches: [{ pathname: "/", search: {} }, next] })).toBe(next.search);
});

test("a change of the same view counts at once, as does the first address", () => {
  const typed = { pathname: "/logs", search: { q: "payment" } };
  expect(paramsShown({ location: typed, matches: [{ pathname: "/logs", search: {} }] })).toBe(typed.search);
  expect(paramsShown({ location: typed, matches: [] })).toBe(typed.search);
});

test("another view has the range, the search, and whether it is live", () => {
  expect(sharedParams({ range: "6h", q: "payment", live: "1", open: "7", tab: "trace" })).toEqual({ range: "6h", q: "payment", live: "1" });
  expect(sharedParams({ open: "7", q: "" })).toEqual({});
});

test("another search begins without the copies of a line of the one before", () => {
  const before = { q: "payment", copies: "1506", open: "7" };
  expect(formatParams(changedParams(before, { q: "order" }))).toBe("?q=order&open=7");
  expect(formatParams(changedParams(before, { q: "payment", fold: "1" }))).toBe("?q=payment&copies=1506&open=7&fold=1");
  expect(formatParams(changedParams({}, { q: "", live: "1" }))).toBe("?live=1");
});

import { expect, test } from "vitest";
import { parse } from "../../query/parse";
import { canFilter, withCopies, withPattern } from "./filters";

test("copies of a line are a filter of the API, and it is taken back by a second time", () => {
  const text = withCopies("x", { message: 'job 12 "failed" 5%' });
  expect(parse(text, "logs").filters).toEqual([["message__like", 'job % "failed" %\\%']]);
  expect(withCopies(text, { message: 'job 7 "failed" 9%' })).toBe("x");
  expect(parse(withCopies(text, { message: 'job 12 "failed" 5%' }, true), "logs").filters).toEqual([["message__notlike", 'job % "failed" %\\%']]);
});

test("a path that the search cannot say has no filter", () => {
  expect(canFilter("meta.user.id", 42)).toBe(true);
  expect(canFilter("meta.text", "a b")).toBe(true);
});

test("a pattern is a filter for its level, its source and its text, once", () => {
  const log = { level: "error" as const, source: "shop::api", message: "job 12 failed" };
  const text = withPattern("level:error x", log);
  expect(parse(text, "logs").filters).toEqual([["level", "error"], ["source", "shop::api"], ["message__like", "job % failed"]]);
  expect(parse(text, "logs").words).toBe("x");
  expect(withPattern(text, { ...log, message: "job 13 failed" })).toBe(text);
});

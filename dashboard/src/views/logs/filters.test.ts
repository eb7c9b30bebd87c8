import { expect, test } from "vitest";
import { parse } from "../../query/parse";
import { canFilter, pickedValues, togglePicked, withCopies } from "./filters";

test("values of a field are picked one after another, and given back", () => {
  const one = togglePicked("timeout", "level", "error", false);
  expect(one).toBe("timeout level:error");
  const two = togglePicked(one, "level", "warn", false);
  expect(two).toBe("timeout level:error,warn");
  expect([...pickedValues(two, "level").chosen]).toEqual(["error", "warn"]);
  expect(togglePicked(togglePicked(two, "level", "error", false), "level", "warn", false)).toBe("timeout");
});

test("an excluded value is no longer asked for", () => {
  expect(togglePicked("source:API", "source", "API", true)).toBe("-source:API");
  expect(togglePicked("-source:API", "source", "API", true)).toBe("");
  expect(togglePicked("-source:API", "source", "WORKER", true)).toBe("-source:API -source:WORKER");
  expect(togglePicked("", "meta.stage", null, false)).toBe("meta.stage:null");
});

test("a value that needs quotes takes the place of others", () => {
  expect(togglePicked("source:API", "source", "a b", false)).toBe('source:"a b"');
});

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

import { expect, test } from "vitest";
import { keepPlace, placeOf } from "./scrollPlaces";

test("a place is that of one answer to one question", () => {
  keepPlace({ question: "level:error", version: 1 }, 480);
  expect(placeOf({ question: "level:error", version: 1 })).toBe(480);
  expect(placeOf({ question: "level:error", version: 2 })).toBeNull();
  expect(placeOf({ question: "", version: 1 })).toBeNull();
});

test("the top is no place to go back to", () => {
  keepPlace({ question: "top", version: 1 }, 480);
  keepPlace({ question: "top", version: 1 }, 0);
  expect(placeOf({ question: "top", version: 1 })).toBeNull();
});

test("the oldest places are forgotten", () => {
  for (let version = 0; version < 300; version++) keepPlace({ question: "many", version }, 24);
  expect(placeOf({ question: "many", version: 0 })).toBeNull();
  expect(placeOf({ question: "many", version: 299 })).toBe(24);
});

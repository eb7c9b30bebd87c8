import { expect, test } from "vitest";
import { rowOfList } from "./useRowFocus";

test("the next list begins at its first row, and the last one stays", () => {
  const lists = ["tiles", "tiles", "endpoints", "endpoints", "errors"];
  expect([-1, 0, 1, 2, 3, 4].map((at) => rowOfList(lists, at, 1))).toEqual([0, 2, 2, 4, 4, 4]);
  expect([4, 3, 2, 1, 0, -1].map((at) => rowOfList(lists, at, -1))).toEqual([2, 0, 0, 0, 0, 0]);
  expect(rowOfList([], -1, 1)).toBe(0);
});

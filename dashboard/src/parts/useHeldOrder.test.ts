import { expect, test } from "vitest";
import { arrange } from "./useHeldOrder";

test("rows stay in the order that is held, new ones are behind them, and those that went leave no gap", () => {
  const rows = ["d", "c", "e", "a"];
  expect(arrange(rows, ["a", "b", "c"], (row) => row)).toEqual(["a", "c", "d", "e"]);
  expect(arrange(rows, [], (row) => row)).toEqual(rows);
});

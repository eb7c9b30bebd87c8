import { expect, test } from "vitest";
import { clearOfStart, endLabels } from "./ends";

const NOW = new Date(2026, 10, 29, 12, 30);
const at = (hours: number, minutes: number) => new Date(2026, 10, 29, hours, minutes).getTime() / 1000;

/** An hour is 600 pixels wide, a letter 6. */
function labels(ticks: number[], from: number, until: number) {
  return endLabels({ at: ticks, step: 900 }, [from, until], NOW, (time) => (time - from) / 6, (text) => text.length * 6).map(({ text, x }) => [text, x]);
}

test("both ends have a label where the round times leave room", () => {
  expect(labels([at(11, 15), at(11, 30), at(11, 45), at(12, 0)], at(11, 6), at(12, 6))).toEqual([
    ["11:06", 15],
    ["12:06", 600],
  ]);
});

test("an end beside a round time has none", () => {
  expect(labels([at(11, 15), at(11, 30), at(11, 45), at(12, 0)], at(11, 13), at(12, 13))).toEqual([["12:13", 600]]);
  expect(labels([at(11, 0), at(11, 15), at(11, 30), at(11, 45), at(12, 0)], at(11, 0), at(12, 0))).toEqual([]);
});

test("an axis without round times has its ends, if they have room", () => {
  expect(labels([], at(11, 1), at(11, 14))).toEqual([
    ["11:01", 15],
    ["11:14", 130],
  ]);
  expect(labels([], at(11, 1), at(11, 4))).toEqual([["11:01", 15]]);
});

test("a label that would reach left of the axis is left out, as the lowest value is there", () => {
  const clear = (ticks: number[], from: number) => clearOfStart({ at: ticks, step: 900 }, NOW, (time) => (time - from) / 6).at;
  const ticks = [at(11, 15), at(11, 30), at(11, 45)];
  expect(clear(ticks, at(11, 15))).toEqual(ticks.slice(1));
  expect(clear(ticks, at(11, 14))).toEqual(ticks.slice(1));
  expect(clear(ticks, at(11, 12))).toEqual(ticks);
});

import { describe, expect, test } from "vitest";
import { nameRange, namePrevious, parseRange, formatRange, resolve, shift, zoomOut, grow } from "./range";
import type { Range } from "./range";
import { formatTyped, formatUtc, readTyped } from "./typed";
import { parseWhen } from "./when";

const NOW = new Date("2026-11-29T11:30:00.000Z");

function at(text: string, now = NOW): string | undefined {
  return parseWhen(text, now)?.from.toISOString();
}

function typed(from: string, until: string, now = NOW): string {
  const read = readTyped(from, until, now);
  return "wrong" in read ? `${read.wrong}: ${read.text}` : formatRange(read.range);
}

describe("times as they are typed, in Berlin", () => {
  test.each([
    ["2026-11-29 10:00", "2026-11-29T09:00:00.000Z"],
    ["2026-11-29T10:00:05.25", "2026-11-29T09:00:05.250Z"],
    ["2026-11-29T10:00:00Z", "2026-11-29T10:00:00.000Z"],
    ["2026-11-29 10:00 +0530", "2026-11-29T04:30:00.000Z"],
    ["2026-11-29T10:00-01", "2026-11-29T11:00:00.000Z"],
    ["2026-11-29", "2026-11-28T23:00:00.000Z"],
    ["2026-11", "2026-10-31T23:00:00.000Z"],
    ["10:00", "2026-11-29T09:00:00.000Z"],
    ["yesterday 10:00", "2026-11-28T09:00:00.000Z"],
    ["today", "2026-11-28T23:00:00.000Z"],
    ["yesterday", "2026-11-27T23:00:00.000Z"],
    ["now", "2026-11-29T11:30:00.000Z"],
    ["-2h", "2026-11-29T09:30:00.000Z"],
    ["- 2h", undefined],
    ["-15 min", "2026-11-29T11:15:00.000Z"],
    ["1769848200", "2026-01-31T08:30:00.000Z"],
    ["1769848200.25", "2026-01-31T08:30:00.250Z"],
    ["1769848200000", "2026-01-31T08:30:00.000Z"],
    ["0050-01-01T00:00Z", "0050-01-01T00:00:00.000Z"],
    ["2026-02-30", undefined],
    ["2026-13", undefined],
    ["25:00", undefined],
    ["10:60", undefined],
    ["", undefined],
    ["soon", undefined],
    ["5", undefined],
  ])("%s is %s", (text, expected) => {
    expect(at(text)).toBe(expected);
  });

  test("when clocks go back, the day has 25 hours, and an hour that comes twice is the first", () => {
    const day = parseWhen("2026-10-25", NOW);
    expect(day && (day.until.getTime() - day.from.getTime()) / 3_600_000).toBe(25);
    expect(at("2026-10-25 02:30")).toBe("2026-10-25T00:30:00.000Z");
    expect(at("2026-10-25 03:00")).toBe("2026-10-25T02:00:00.000Z");
    expect(at("2026-10-25T02:30+01:00")).toBe("2026-10-25T01:30:00.000Z");
    expect(at("yesterday", new Date("2026-10-26T12:00:00Z"))).toBe("2026-10-24T22:00:00.000Z");
    expect(at("-1d", new Date("2026-10-25T12:00:00Z"))).toBe("2026-10-24T12:00:00.000Z");
  });

  test("when clocks go forward, the day has 23 hours, and an hour that is left out is the next", () => {
    const day = parseWhen("2026-03-29", NOW);
    expect(day && (day.until.getTime() - day.from.getTime()) / 3_600_000).toBe(23);
    expect(at("2026-03-29 02:30")).toBe("2026-03-29T01:30:00.000Z");
  });
});

describe("ranges as they are typed", () => {
  test.each([
    ["-2h", "", "2h"],
    ["-2h", "now", "2h"],
    ["-1w", "", "7d"],
    ["-90s", "", "2026-11-29T11:28:30.000Z..2026-11-29T11:30:00.000Z"],
    ["-2h", "-1h", "2026-11-29T09:30:00.000Z..2026-11-29T10:30:00.000Z"],
    ["10:00", "11:00", "2026-11-29T09:00:00.000Z..2026-11-29T10:00:00.000Z"],
    ["2026-11-20 10:00", "11:00", "2026-11-20T09:00:00.000Z..2026-11-20T10:00:00.000Z"],
    ["yesterday", "yesterday", "2026-11-27T23:00:00.000Z..2026-11-28T23:00:00.000Z"],
    ["2026-10-25", "2026-10-25", "2026-10-24T22:00:00.000Z..2026-10-25T23:00:00.000Z"],
    ["yesterday", "today 09:00", "2026-11-27T23:00:00.000Z..2026-11-29T08:00:00.000Z"],
    ["", "", "from: Say when it begins."],
    ["x", "", "from: This is not a time that can be read."],
    ["-1h", "x", "until: This is not a time that can be read."],
    ["-1h", "-2h", "until: It ends before it begins."],
    ["23:00", "", "from: It begins after now."],
    ["0100-01-01", "", "from: A range has a hundred years at most."],
  ])("%s to %s: %s", (from, until, expected) => {
    expect(typed(from, until)).toBe(expected);
  });

  test("what is shown is read as the same time", () => {
    for (const text of ["2026-11-29T10:00:00.000Z", "2026-07-01T00:00:05.000Z", "2026-10-25T05:00:00.123Z"]) {
      expect(at(formatTyped(new Date(text)))).toBe(text);
    }
    expect(formatTyped(NOW)).toBe("2026-11-29 12:30");
    expect(formatUtc(NOW)).toBe("2026-11-29 11:30:00 UTC");
  });
});

describe("ranges of the address", () => {
  const between = (from: string, until: string): Range => ({ kind: "between", from: new Date(from), until: new Date(until) });

  test("are read as they were written", () => {
    for (const text of ["5m", "1h", "7d", "2026-11-29T10:00:00.000Z..2026-11-29T11:00:00.000Z"]) {
      const range = parseRange(text);
      expect(range && formatRange(range)).toBe(text);
    }
  });

  test.each(["", "0h", "1y", "1..2", "2026..2027", "2026-11-29T11:00:00Z..2026-11-29T10:00:00Z", "1h..2h", "99999d", "NaN", "2026-11-29T10:00..2026-11-29T11:00", "..", "9999999m9"])("%s is none", (text) => {
    expect(parseRange(text)).toBeNull();
  });

  test("move by their length, over a change of the clocks, too", () => {
    const night = between("2026-10-24T22:00:00Z", "2026-10-25T04:00:00Z");
    expect(formatRange(shift(night, -1, NOW))).toBe("2026-10-24T16:00:00.000Z..2026-10-24T22:00:00.000Z");
    expect(formatRange(shift({ kind: "last", amount: 1, unit: "h" }, -1, NOW))).toBe("2026-11-29T09:30:00.000Z..2026-11-29T10:30:00.000Z");
    const first = between("0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z");
    expect(shift(first, -1, NOW)).toBe(first);
  });

  test("zoom out to the next common one, or to twice their length, up to now", () => {
    const zoomed = (text: string) => {
      const range = parseRange(text);
      return range && formatRange(zoomOut(range, NOW));
    };
    expect(zoomed("1h")).toBe("6h");
    expect(zoomed("30d")).toBe("60d");
    expect(zoomed("20000d")).toBe("20000d");
    expect(zoomed("2026-11-29T08:00:00Z..2026-11-29T09:00:00Z")).toBe("2026-11-29T07:30:00.000Z..2026-11-29T09:30:00.000Z");
    expect(zoomed("2026-11-29T10:30:00Z..2026-11-29T11:30:00Z")).toBe("2026-11-29T09:30:00.000Z..2026-11-29T11:30:00.000Z");
  });

  test("have names, and so has what they are compared with", () => {
    expect(nameRange({ kind: "last", amount: 6, unit: "h" })).toBe("Last 6 hours");
    expect(namePrevious({ kind: "last", amount: 6, unit: "h" }, NOW)).toBe("the 6 hours before");
    expect(namePrevious({ kind: "last", amount: 1, unit: "d" }, NOW)).toBe("the day before");
    const range = between("2026-11-29T09:00:00Z", "2026-11-29T10:00:00Z");
    expect(nameRange(range, "en-GB")).toMatch(/29 Nov.*10:00.*11:00/);
    expect(namePrevious(range, NOW, "en-GB")).toMatch(/29 Nov.*09:00.*10:00/);
    expect(resolve({ kind: "last", amount: 1, unit: "d" }, NOW).from.toISOString()).toBe("2026-11-28T11:30:00.000Z");
  });
});

describe("growing a range", () => {
  const range = { kind: "between" as const, from: new Date("2026-11-29T09:00:00Z"), until: new Date("2026-11-29T09:30:00Z") };
  const grown = (minutes: number, now: string) => formatRange(grow(range, minutes * 60_000, new Date(now)));
  test("adds as much on both sides", () => {
    expect(grown(10, "2026-11-29T12:00:00Z")).toBe("2026-11-29T08:50:00.000Z..2026-11-29T09:40:00.000Z");
  });
  test("does not go beyond now", () => {
    expect(grown(10, "2026-11-29T09:32:00Z")).toBe("2026-11-29T08:42:00.000Z..2026-11-29T09:32:00.000Z");
  });
  test("leaves a range alone that would be longer than a hundred years", () => {
    expect(grow(range, 36_525 * 86_400_000, new Date())).toBe(range);
  });
});

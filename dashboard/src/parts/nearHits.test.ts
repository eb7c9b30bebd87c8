import { expect, test } from "vitest";
import { parse } from "../query/parse";
import { countingOf, nearNote, noneHas, respelt } from "./nearHits";

test("counts are shown as they are, unless a list by rank has what they do not count", () => {
  expect(countingOf({ isRanked: true, counted: 3, listed: 200 })).toBe("counts");
  expect(countingOf({ isRanked: true, counted: 0, listed: 200 })).toBe("near");
  expect(countingOf({ isRanked: true, counted: 0, listed: 0 })).toBe("nothing");
  expect(countingOf({ isRanked: false, counted: 0, listed: 0 })).toBe("counts");
});

test("a list that is not there yet is not spoken of", () => {
  expect(countingOf({ isRanked: true, counted: 0, listed: null })).toBe("unknown");
  expect(countingOf({ isRanked: true, counted: null, listed: 5 })).toBe("counts");
});

test("a single word is named, several are all the words", () => {
  expect(nearNote(parse("gatway", "logs"), "line")).toBe("No line has “gatway”; the list shows the nearest.");
  expect(nearNote(parse("paymnt gatway -cache", "logs"), "line")).toBe("No line has all the words; the list shows the nearest.");
  expect(nearNote(parse('"payment gatway"', "logs"), "line")).toBe("No line has “payment gatway”; the list shows the nearest.");
  expect(nearNote(parse("gatway status:5xx", "requests"), "request")).toBe("No request that passes the filters has “gatway”; the list shows the nearest.");
  expect(noneHas(parse("gatway-timeout", "logs"), "line")).toBe("No line has “gatway-timeout”");
  expect(noneHas(parse("level:error -cache", "logs"), "line")).toBeNull();
});

test("a misspelt search is offered as the best hit has its words", () => {
  const misspelt = (word: string, matched: string) => ({ word, matched, kind: "misspelling" });
  expect(respelt("level:error paymnt gatway", [misspelt("paymnt", "payment"), misspelt("gatway", "gateway")])).toBe("level:error payment gateway");
  expect(respelt('"Paymnt gatway" x', [misspelt("paymnt", "payment"), misspelt("gatway", "gateway")])).toBe('"payment gateway" x');
  expect(respelt("payment", [{ word: "payment", matched: "payments", kind: "start" }])).toBeNull();
});

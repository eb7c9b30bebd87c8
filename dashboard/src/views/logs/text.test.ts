import { expect, test } from "vitest";
import { cutMiddle, foundTexts, likeCopies, marksOf, oneLine, segments, templateOf, withoutCodes, wordsOf } from "./text";

test("codes of terminals and marks of direction are taken out", () => {
  expect(withoutCodes("\u001b[31mred\u001b[0m \u001b]8;;http://evil\u0007link\u001b]8;;\u0007 \u001b[2J.")).toBe("red link .");
  expect(withoutCodes("\u202eevil\u2066")).toBe("evil");
  expect(withoutCodes("\u0001\u007f\u0000")).toBe("␁␡␀");
});

test("a message is one line, and a long one keeps both ends", () => {
  expect(oneLine("a\r\n  b\tc\n")).toBe("a ↵   b c ↵");
  const long = oneLine(`start${"x".repeat(1_000_000)}end`);
  expect(long.length).toBeLessThan(4100);
  expect(long.startsWith("start") && long.endsWith("end")).toBe(true);
});

test("a line is cut in its middle, never within a character", () => {
  expect(cutMiddle("short", 20)).toBe("short");
  expect(cutMiddle("abcdefghijklmnopqrstuvwxyz", 13)).toBe("abcdef … wxyz");
  for (let columns = 8; columns < 60; columns++) expect(() => encodeURIComponent(cutMiddle("😀".repeat(40), columns))).not.toThrow();
});

test("a found word stays in sight when a line is cut", () => {
  const text = `${"a ".repeat(100)}needle${" b".repeat(100)}`;
  expect(cutMiddle(text, 40, marksOf(["needle"]))).toContain("needle");
});

test("words of a search have no exclusions", () => {
  expect(wordsOf('payment "gateway timeout" -cache -"x y"')).toEqual(["payment", "gateway timeout"]);
});

test("numbers and words are told apart", () => {
  expect(segments("job 12 failed", marksOf(["fail"]))).toEqual([
    { text: "job ", kind: "plain" },
    { text: "12", kind: "number" },
    { text: " ", kind: "plain" },
    { text: "fail", kind: "mark" },
    { text: "ed", kind: "plain" },
  ]);
  expect(segments("a.b", marksOf(["."])).map((part) => part.kind)).toEqual(["plain", "mark", "plain"]);
});

test("ranges of bytes are those of characters", () => {
  expect(foundTexts("größe timeout", [[8, 15]])).toEqual(["timeout"]);
});

test("copies have the same template and pattern", () => {
  const one = "job 12 of u-9: 2bf85364-ae1c-4b1b-9c5e-352153a22ca2 at 10.0.0.1, 100%_";
  const other = "job 7 of u-10: d2f7672e-a970-4c15-beac-06e9b50491aa at 10.2.0.14, 3%_";
  expect(templateOf(one)).toBe(templateOf(other));
  expect(likeCopies(one)).toBe("job % of u-%: % at %.%.%.%, %\\%\\_");
});

import { expect, test } from "vitest";
import { foundTexts, likeCopies, marksOf, segments, templateOf, wordsOf } from "./text";

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

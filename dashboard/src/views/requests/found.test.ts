import { describe, expect, test } from "vitest";
import { around, foundIn, markWords, shareRoom } from "./found";
import type { Highlight } from "./found";
import type { RequestRow } from "./useRequestList";

const row = (...highlights: Highlight[]) => ({ hit: { highlights } }) as RequestRow;

describe("what a search found", () => {
  test("stands in the column that it is of, or beside the path", () => {
    const path = { field: "path", text: "/pay", ranges: [[1, 4]] };
    const body = { field: "response_body", text: '{"error": "no pay"}', ranges: [[14, 17]] };
    expect(foundIn(row(path, body))).toMatchObject({ path, elsewhere: { highlight: body, label: "response: " }, queryWords: [] });
    expect(foundIn(row({ field: "method", text: "GET", ranges: [[0, 3]] }))).toMatchObject({ path: undefined, elsewhere: undefined });
    expect(foundIn({} as RequestRow)).toMatchObject({ path: undefined, user: undefined, elsewhere: undefined });
  });
  test("in a query is marked where the query stands", () => {
    const { queryWords } = foundIn(row({ field: "query", text: '{"q": "große Lampe"}', ranges: [[7, 13], [14, 19]] }));
    expect(queryWords).toEqual(["große", "Lampe"]);
    expect(markWords("?q=große+Lampe", queryWords)).toEqual([
      { text: "?q=", isFound: false },
      { text: "große", isFound: true },
      { text: "+", isFound: false },
      { text: "Lampe", isFound: true },
    ]);
    expect(markWords("?a=(b", ["(b", "(b)"])).toEqual([{ text: "?a=", isFound: false }, { text: "(b", isFound: true }]);
    expect(markWords("?a", [])).toEqual([{ text: "?a", isFound: false }]);
  });
});

test("of a body, what is around the first match is shown", () => {
  const text = `{"name": "größer", "items": [${'{"id": 1}, '.repeat(50)}{"note": "a burr mill"}]}`;
  const at = new TextEncoder().encode(text.slice(0, text.indexOf("burr"))).length;
  const part = around({ field: "response_body", text, ranges: [[at, at + 4], [at + 5, at + 9]] }, 24);
  expect(part.text).toBe('…": "a burr mill"}]}');
  const bytes = new TextEncoder().encode(part.text);
  expect(part.ranges.map(([from, until]) => new TextDecoder().decode(bytes.subarray(from, until)))).toEqual(["burr", "mill"]);
  const short = { field: "body", text: '"größer"', ranges: [[1, 9]] };
  expect(around(short, 40)).toEqual(short);
  expect(around({ field: "body", text: "ööööö ende", ranges: [[11, 15]] }, 8).text).toBe("…ö ende");
  const far = around({ field: "body", text: `${"x ".repeat(50)}burr ${"y ".repeat(50)}mill`, ranges: [[100, 104], [205, 209]] }, 16);
  expect([far.text, far.ranges]).toEqual(["…x x burr y y y…", [[7, 11]]]);
});

describe("the room of a cell", () => {
  test("is the rest beside a short path", () => {
    expect(shareRoom(80, 16, 10)).toEqual({ path: 16, label: true, excerpt: 52 });
  });
  test("is shared with a long path, and the label goes before the words", () => {
    expect(shareRoom(60, 200, 10)).toEqual({ path: 32, label: true, excerpt: 16 });
    expect(shareRoom(40, 200, 10)).toEqual({ path: 20, label: false, excerpt: 18 });
    expect(shareRoom(30, 16, 10)).toEqual({ path: 15, label: false, excerpt: 13 });
    expect(shareRoom(15, 90, 10)).toEqual({ path: 5, label: false, excerpt: 8 });
  });
  test("is never less than nothing", () => {
    for (let columns = 0; columns < 100; columns++) {
      const shared = shareRoom(columns, 50, 10);
      expect(shared.excerpt).toBeGreaterThanOrEqual(0);
      expect(shared.path + shared.excerpt).toBeLessThanOrEqual(Math.max(columns, shared.path));
    }
  });
});

import { expect, test } from "vitest";
import { excerpt, excerptOf, keptSpans, rowOf } from "./excerpt";

const ACCESS = 'GET /very/long/path/of/a/shop/with/many/parts/and/a/query?page=3&sort=price&filter=none HTTP/1.1" 502 17';
const COMBINED = '10.0.3.7 - - [29/Nov/2026:10:00:00 +0000] "GET /orders/4711/items?page=3&sort=price HTTP/1.1" 502 17 "https://shop.example/orders" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"';

test("a line that fits is whole", () => {
  expect(excerpt("short", 20)).toBe("short");
  expect(excerpt("exactly as long", 15)).toBe("exactly as long");
});

test("the first words and the end stay, with numbers and status", () => {
  for (let columns = 30; columns < ACCESS.length; columns++) {
    const cut = excerpt(ACCESS, columns);
    expect(cut.length).toBeLessThanOrEqual(columns);
    expect(cut.startsWith("GET /")).toBe(true);
    expect(cut.endsWith("502 17")).toBe(true);
    expect(cut).toContain(" … ");
  }
});

test("a status in the middle stays where there is room for it", () => {
  for (let columns = 60; columns < COMBINED.length; columns++) expect(excerpt(COMBINED, columns)).toMatch(/HTTP\/1\.1" 502/);
});

test("nearly all the room is used", () => {
  for (let columns = 50; columns < COMBINED.length; columns += 7) expect(excerpt(COMBINED, columns).length).toBeGreaterThanOrEqual(columns - 9);
});

const GATEWAY = "payment gateway answered 503 Service Unavailable";
const REFUSED = "could not reserve the stock: connection refused by the database on port 5432 after 3 attempts";

test("with little room, a line is its beginning, and what was found or its status if these are not in it", () => {
  const cuts = (text: string, marks: RegExp | null = null) => [24, 30, 40, 60, 100].map((columns) => excerpt(text, columns, marks));
  expect(cuts(GATEWAY)).toEqual(["payment gateway … 503…", "payment gateway answered 503…", "payment gateway answered 503 Service…", GATEWAY, GATEWAY]);
  expect(cuts(GATEWAY, /gateway/giu)).toEqual(cuts(GATEWAY));
  expect(cuts(GATEWAY, /unavailable/giu).slice(0, 3)).toEqual(["payment … Unavailable", "payment gateway … Unavailable", "payment gateway answered … Unavailable"]);
  expect(cuts(REFUSED).slice(0, 3)).toEqual(["could not reserve the…", "could not reserve the stock:…", "could not reserve the stock: connection…"]);
  expect(cuts(REFUSED, /refused/giu).slice(0, 2)).toEqual(["could not … refused…", "could not reserve … refused…"]);
  expect(cuts(ACCESS).slice(0, 3)).toEqual(["GET /very/long/ … 502 17", "GET /very/long/path/o … 502 17", "GET /very/long/path/of/a/shop/w … 502 17"]);
});

test("no word is begun or ended for a few letters, and nothing short is left out", () => {
  for (const text of [GATEWAY, REFUSED]) {
    for (let columns = 20; columns < text.length; columns++) {
      const parts = excerpt(text, columns).split(/ … |…/).filter((part) => part !== "");
      const words = new Set(text.split(" "));
      for (const part of parts) for (const word of [part.split(" ")[0] ?? "", part.split(" ").at(-1) ?? ""]) expect(words.has(word) || word.length >= 8, `${columns}: ${parts.join("|")}`).toBe(true);
      expect(excerpt(text, columns).length).toBeLessThanOrEqual(columns);
    }
  }
});

test("a found word stays in sight, wherever it is", () => {
  const words = Array.from({ length: 200 }, (_, index) => `w${index}`);
  for (const index of [0, 3, 50, 120, 196, 199]) {
    const text = words.with(index, "needle").join(" ");
    for (let columns = 12; columns < 120; columns++) {
      const cut = excerpt(text, columns, /needle/giu);
      expect(cut).toContain("needle");
      expect(cut.length).toBeLessThanOrEqual(columns);
    }
  }
});

test("several found words stay, and a word is not cut around what was found in it", () => {
  const text = `first ${"x ".repeat(100)}reconnection ${"y ".repeat(100)}refused ${"z ".repeat(100)}last`;
  const cut = excerpt(text, 60, /connection|refused/giu);
  expect(cut).toMatch(/^first .*… .*reconnection .*… .*refused .*… .*last$/);
  expect(excerpt(`${"a".repeat(50)}needle${"b".repeat(50)}`, 20, /needle/giu)).toContain("needle");
});

test("a found text that is longer than the room begins in it", () => {
  expect(excerpt(`start ${"n".repeat(100)} end`, 20, /n+/giu)).toMatch(/^…n+…$/);
});

test("a line in a very narrow place is not longer than it", () => {
  for (let columns = 1; columns < 12; columns++) expect(excerpt(ACCESS, columns).length).toBeLessThanOrEqual(columns);
});

test("characters are not cut, as one sees them", () => {
  const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  const texts = ["😀".repeat(60), "👩‍👩‍👧‍👦".repeat(20), "e\u0301".repeat(100), "🇩🇪🇫🇷".repeat(30), "نص عربي طويل جدا ".repeat(12), "שָׁלוֹם עֲלֵיכֶם ".repeat(12), "データベース接続が拒否".repeat(10)];
  for (const text of texts) {
    const known = new Set([...letters.segment(text)].map((one) => one.segment));
    for (let columns = 3; columns < 60; columns++) {
      const cut = excerpt(text, columns);
      for (const { segment } of letters.segment(cut.replaceAll(" … ", "").replaceAll("…", ""))) expect(known).toContain(segment);
    }
  }
});

test("wide characters take two columns, and marks none", () => {
  expect(excerpt("拒否".repeat(5), 20)).toBe("拒否".repeat(5));
  expect(excerpt("拒否".repeat(5), 19)).toContain("…");
  expect(excerpt("e\u0301".repeat(20), 20)).toBe("e\u0301".repeat(20));
});

test("a found word within other scripts stays in sight", () => {
  for (const filler of ["نص عربي ", "שָׁלוֹם ", "👩‍👩‍👧‍👦 ", "データベース"]) {
    for (let columns = 16; columns < 60; columns++) expect(excerpt(`${filler.repeat(40)}needle ${filler.repeat(40)}`, columns, /needle/giu)).toContain("needle");
  }
});

test("parts are in order, apart from each other, and within the text", () => {
  for (let columns = 5; columns < 150; columns++) {
    const spans = keptSpans(COMBINED, columns, [[100, 104], [20, 30]].sort(([a = 0], [b = 0]) => a - b) as [number, number][]);
    let at = -1;
    for (const [start, end] of spans) {
      expect(start).toBeGreaterThan(at);
      expect(end).toBeGreaterThanOrEqual(start);
      at = end;
    }
    expect(at).toBeLessThanOrEqual(COMBINED.length);
  }
});

test("what was found deep in a very long message is in its row", () => {
  const message = `start ${"x ".repeat(20_000)}needle ${"y ".repeat(500_000)}end`;
  expect(rowOf(message, 60, /needle/giu)).toMatch(/^start .*needle .*end$/);
  expect(rowOf(message, 60)).toMatch(/^start .* … .*end$/);
});

test("an excerpt of a hit has what was found by its bytes", () => {
  const text = `größe\n${"a ".repeat(100)}timeout${" b".repeat(100)}`;
  const start = new TextEncoder().encode(text.slice(0, text.indexOf("timeout"))).length;
  const parts = excerptOf({ text, ranges: [[start, start + 7]] }, 40);
  expect(parts.filter((part) => part.isFound)).toEqual([{ text: "timeout", isFound: true }]);
  expect(parts.map((part) => part.text).join("")).toMatch(/^größe a a.* … timeout…$/);
  const long = excerptOf({ text: `${"é".repeat(50_000)} needle ${"z".repeat(50_000)}`, ranges: [[100_001, 100_007]] }, 30);
  expect(long.find((part) => part.isFound)?.text).toBe("needle");
  expect(long[0]?.text).toBe("…");
  expect(excerptOf({ text: "\u001b[31mred\u001b[0m", ranges: [[5, 8]] }, 40).map((part) => part.text).join("")).not.toContain("\u001b");
});

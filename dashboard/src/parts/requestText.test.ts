import { describe, expect, test } from "vitest";
import { pathAndQuery, queryText, shortPath } from "./requestText";

describe("a query", () => {
  test.each<[unknown, string]>([
    [{ month: "13" }, "?month=13"],
    [{ a: "1", b: ["2", "3"] }, "?a=1&b=2&b=3"],
    [{ flag: null, empty: "", list: [] }, "?flag&empty=&list=[]"],
    [{ n: 5, yes: true }, "?n=5&yes=true"],
    // As it is read, where it cannot be mistaken.
    [{ q: "brass lamp", to: "/a?b", name: "Gdańsk" }, "?q=brass+lamp&to=/a?b&name=Gdańsk"],
    [{ "a=b": "c=d&e#f%20+g" }, "?a%3Db=c=d%26e%23f%2520%2Bg"],
    [{ token: "[masked]", sid: "[masked:9f86d081884c7d65]" }, "?token=[masked]&sid=[masked:9f86d081884c7d65]"],
    [null, ""],
    [undefined, ""],
    [{}, ""],
    [[1, 2], ""],
    ["", ""],
    ["month=13", "?month=13"],
    ["?month=13", "?month=13"],
  ])("%j is %s", (query, expected) => {
    expect(queryText(query)).toBe(expected);
  });

  test("is cut at its end, and does nothing to what is beside it", () => {
    const long = queryText({ q: "x".repeat(1000), later: "y" }, 20);
    expect([long.length, long]).toEqual([20, `?q=${"x".repeat(16)}…`]);
    expect(queryText({ q: "\u202egnp\u001b[31m\n" })).toBe("?q=gnp ↵");
    expect(queryText(Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, "v"])))).toHaveLength(300);
  });
});

test("a path with its query is one text", () => {
  expect(pathAndQuery({ path: "/report", query: { month: "13" }, headers: { host: "shop.example" } })).toBe("/report?month=13");
  expect(pathAndQuery({ path: `/${"p".repeat(5000)}`, query: { month: "13" }, headers: null })).toHaveLength(300);
});

test("a request that the application sent says whom it asked", () => {
  expect(pathAndQuery({ path: "/charges", query: null, headers: { direction: "outgoing", host: "payment.example" } })).toBe("payment.example/charges");
  expect(pathAndQuery({ path: "/charges", query: null, headers: { direction: "outgoing" } })).toBe("/charges");
});

test("of a path that is too long the middle is cut, and its last part stays", () => {
  expect(shortPath("/orders/6969/pay", 16)).toBe("/orders/6969/pay");
  expect(shortPath("/orders/6969/pay", 15)).toBe("/orders/…/pay");
  expect(shortPath("/orders/6969/pay", 11)).toBe("/order…/pay");
  expect(shortPath("/products/1/similar", 15)).toBe("/produ…/similar");
  expect(shortPath("/products/12/versions/3/similar", 24)).toBe("/products/…/3/similar");
  expect(shortPath(`/${"a".repeat(30)}`, 15)).toBe("/aaa…aaaaaaaaaa");
  expect(shortPath("/orders/6969/pay", 3)).toBe("/orders…");
  expect(shortPath(`/${"a/".repeat(5000)}`, 20).length).toBeLessThanOrEqual(20);
});

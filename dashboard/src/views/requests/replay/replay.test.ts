import { describe, expect, test } from "vitest";
import type { RequestSnapshot } from "../../../api/client";
import { maskedIn } from "../masked";
import { isIgnored, ruleAnywhere, ruleFor } from "./ignore";
import { bodyLines, pair } from "./lines";
import { capturedTargets, isTarget, plainReason, unfilled, withheldHeaders } from "./api";

describe("rules of what may differ", () => {
  test("are the same for every item of a list", () => {
    expect(ruleFor("$.items[3].updated_at")).toBe("$.items[*].updated_at");
    expect(isIgnored("$.items[12].updated_at", ["$.items[*].updated_at"])).toBe(true);
    expect(isIgnored("$.items[12].id", ["$.items[*].updated_at"])).toBe(false);
  });
  test("leave out all that is in a place, and nothing beside it", () => {
    expect(isIgnored("$.user.name", ["$.user"])).toBe(true);
    expect(isIgnored("$.username", ["$.user"])).toBe(false);
    expect(isIgnored("$.a", ["$"])).toBe(true);
    expect(isIgnored("headers.x", ["$"])).toBe(false);
    expect(isIgnored("headers.x-version", ["headers.x-*"])).toBe(true);
    expect(isIgnored("status", ["status"])).toBe(true);
  });
  test("reach any depth", () => {
    expect(ruleAnywhere("$.items[3].updated_at")).toBe("$..updated_at");
    expect(ruleAnywhere("$.updated_at")).toBeNull();
    expect(isIgnored("$.a.b[0].updated_at", ["$..updated_at"])).toBe(true);
    expect(isIgnored("$.updated_at", ["$..updated_at"])).toBe(true);
    expect(isIgnored("$.a.not_updated_at", ["$..updated_at"])).toBe(false);
  });
});

describe("lines of two responses", () => {
  test("of JSON have their places, in the order of names", () => {
    expect(bodyLines({ b: [1, "x"], a: {}, "a key": null })).toEqual([
      { text: "{", place: "$" },
      { text: '  "a": {}', place: "$.a" },
      { text: '  "a key": null', place: '$["a key"]' },
      { text: '  "b": [', place: "$.b" },
      { text: "    1", place: "$.b[0]" },
      { text: '    "x"', place: "$.b[1]" },
      { text: "  ]", place: "$.b" },
      { text: "}", place: "$" },
    ]);
    expect(bodyLines(null)).toEqual([]);
  });
  test("stand beside their equals", () => {
    const pairs = pair(bodyLines("a\nb\nc\nd"), bodyLines("a\nc\nx\nd\ne"));
    expect(pairs.map((one) => [one.left?.text ?? null, one.right?.text ?? null, one.isSame])).toEqual([
      ["a", "a", true],
      ["b", null, false],
      ["c", "c", true],
      [null, "x", false],
      ["d", "d", true],
      [null, "e", false],
    ]);
  });
  test("that changed stand beside each other", () => {
    expect(pair(bodyLines({ a: 1, b: 2 }), bodyLines({ a: 1, b: 3 })).filter((one) => !one.isSame)).toMatchObject([{ left: { place: "$.b" }, right: { place: "$.b" } }]);
    expect(pair([], [])).toEqual([]);
  });
});

test("targets are URLs of servers", () => {
  expect(["http://localhost:3000", "https://staging.example.com/shop"].every(isTarget)).toBe(true);
  expect(["", "localhost:3000", "ftp://x", "http://"].some(isTarget)).toBe(false);
});

test("reasons are without names of parameters", () => {
  expect(plainReason('masked: query token ("query", "body", or "send_masked": true)')).toBe("these values were masked: query token");
  expect(plainReason("only the start of its body (90112 bytes) was captured (\"body\")")).toBe("only the start of its body (90112 bytes) was captured");
});

describe("masked values", () => {
  const masked = (headers: string[], query: string[] = [], body: string[] = []) => ({ headers, query, body });
  test("of headers are left out unless they are filled in", () => {
    const settings = { target: "", headers: { authorization: "Bearer x", cookie: "" }, query: {}, body: null, sendMasked: false };
    expect(withheldHeaders(masked(["authorization", "cookie", "x-key"]), settings)).toEqual(["cookie", "x-key"]);
  });
  test("of others are named until they are filled in", () => {
    const settings = { target: "", headers: {}, query: { token: "1" }, body: null, sendMasked: false };
    const places = masked(["authorization"], ["token", "key"], ["$.card.number", "$", '$["a key"]']);
    expect(unfilled(places, settings)).toEqual(["parameter key", "card.number", "the body", '$["a key"]']);
    expect(unfilled(places, { ...settings, query: { token: "1", key: "2" }, body: "{}" })).toEqual([]);
    expect(unfilled(masked(["authorization"]), settings)).toEqual([]);
  });
  test("have the places that the server names, in the order of the body", () => {
    expect(maskedIn({ card: { number: "[masked]", kind: "x" }, list: ["a", "b [masked]"], "a key": "[masked:9f86d081884c7d65]" })).toEqual(["$.card.number", "$.list[1]", '$["a key"]']);
    expect(maskedIn("token=[masked]")).toEqual(["$"]);
    expect(maskedIn(null)).toEqual([]);
  });
});

test("a request went to its host, by TLS where a proxy says so", () => {
  const captured = (headers: Record<string, string>) => capturedTargets({ headers } as unknown as RequestSnapshot);
  expect(captured({ Host: "127.0.0.1:3417" })).toEqual(["http://127.0.0.1:3417", "https://127.0.0.1:3417"]);
  expect(captured({ host: "shop.example", "x-forwarded-proto": "https" })).toEqual(["https://shop.example", "http://shop.example"]);
  expect(captured({})).toEqual([]);
  expect(captured({ host: "a b" })).toEqual([]);
});

import { describe, expect, test } from "vitest";
import { pathsOf, placeAt, suggest } from "./complete";
import type { KnownValue } from "./complete";
import type { Model } from "./parse";

const NOTHING = { values: [], paths: [] };

/** The suggestions at `|`. */
function at(marked: string, model: Model, known: { values?: KnownValue[]; paths?: [string, unknown][] } = {}): string[] {
  const place = placeAt(marked.replace("|", ""), marked.indexOf("|"), model);
  return place === null ? [] : suggest(place, model, { ...NOTHING, ...known }).map((one) => one.insert);
}

/** The text after the first suggestion is taken. */
function taken(marked: string, model: Model, known: { values?: KnownValue[]; paths?: [string, unknown][] } = {}): string {
  const text = marked.replace("|", "");
  const place = placeAt(text, marked.indexOf("|"), model);
  const first = place && suggest(place, model, { ...NOTHING, ...known })[0];
  return first ? text.slice(0, place.start) + first.insert + text.slice(place.end) : text;
}

describe("completion", () => {
  test("of fields takes those of the model, the ones that begin so first", () => {
    expect(at("|", "logs")[0]).toBe("level:");
    expect(at("timeout le|", "logs")).toEqual(["level:"]);
    expect(at("-so|", "logs")).toEqual(["source:"]);
    expect(at("st|", "requests")).toEqual(["status:", "stage:"]);
    expect(at("me|", "logs")).toEqual(["message:", "meta.", "time:"]);
    expect(at("le|", "requests")).toEqual([]);
  });
  test("of values takes known ones, and those of the server with their counts", () => {
    expect(at("level:|", "logs")).toEqual(["debug", "info", "warn", "error"]);
    expect(at("level:error,w|", "logs")).toEqual(["warn"]);
    expect(at("level:error|", "logs")).toEqual([]);
    expect(at("status:5|", "requests", { values: [{ value: 502, count: 3 }] })).toEqual(["5xx", "502"]);
    expect(at("path:/or|", "requests", { values: [{ value: "/orders", count: 3 }, { value: "/login", count: 1 }] })).toEqual(["/orders", "*/or*"]);
    expect(at("user:|", "requests", { values: [{ value: null, count: 3 }, { value: "a, b", count: 1 }] })).toEqual(["null", '"a, b"']);
  });
  test("replaces what is typed of the part, and nothing else", () => {
    expect(taken("a so| b", "logs")).toBe("a source: b");
    expect(taken("level:error,w| x", "logs")).toBe("level:error,warn x");
    expect(taken("level:w|ar x", "logs")).toBe("level:warn x");
    expect(taken('source:"a b|', "logs", { values: [{ value: "a b c", count: 1 }] })).toBe('source:"a b c"');
    expect(taken("meta.us|", "logs", { paths: [["meta.user.id", 42]] })).toBe("meta.user.id:");
    expect(taken("level__i|", "logs")).toBe("level__in=");
    expect(taken("meta.a__ex|", "logs")).toBe("meta.a__exists=");
  });
  test("offers what is typed as a part of a value", () => {
    expect(at("source:pay|", "logs", { values: [{ value: "payments", count: 3 }] })).toEqual(["payments", "*pay*"]);
    expect(taken("source:pay| x", "logs")).toBe("source:*pay* x");
    expect(at("source:p|", "logs")).toEqual([]);
    expect(at("source:*pay*|", "logs")).toEqual([]);
    expect(at("level:zz|", "logs")).toEqual([]);
    expect(at("message:pay|", "logs")).toEqual([]);
  });
  test("is silent in phrases, words and fields of others", () => {
    expect(at('"level|', "logs")).toEqual([]);
    expect(at("http://x|", "logs")).toEqual([]);
    expect(at("path:/x|", "logs")).toEqual([]);
  });
});

test("paths of JSON come by their frequency, with odd keys in quotes", () => {
  const paths = pathsOf("meta", [{ user: { id: 1 }, "http.route": "/x" }, { user: { id: 2 }, list: [1] }, null, 5, "x"]);
  expect(paths).toEqual([
    ["meta.user.id", 1],
    ['meta."http.route"', "/x"],
    ["meta.list", [1]],
  ]);
});

test("keys and values that nobody types are left out, and examples are short", () => {
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, index]));
  expect(pathsOf("meta", [many])).toHaveLength(100);
  expect(pathsOf("meta", [{ ["x".repeat(1000)]: 1 }])).toEqual([]);
  expect(at("source:|", "logs", { values: [{ value: "x".repeat(1_000_000), count: 1 }] })).toEqual([]);
  const place = placeAt("meta.", 5, "logs");
  const notes = place && suggest(place, "logs", { values: [], paths: [["meta.a", "x".repeat(1_000_000)], ["meta.b", new Array(1000).fill(0)]] }).map((one) => one.note.length);
  expect(notes).toEqual([40, 6]);
});

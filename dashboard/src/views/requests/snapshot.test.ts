import { describe, expect, test } from "vitest";
import { countMasked, ruleOf, splitMasked } from "./masked";
import { readBody, readHeaders } from "./snapshot";

describe("headers", () => {
  test("are told from what capture noted among them", () => {
    const { headers, facts } = readHeaders({ route: "/a", "header.route": "x", accept: ["a", "b"], "a b": "c" }, "headers");
    expect(facts).toEqual({ route: "/a" });
    expect(headers).toEqual([
      { name: "route", value: "x", field: null },
      { name: "accept", value: ["a", "b"], field: "headers.accept" },
      { name: "a b", value: "c", field: null },
    ]);
  });
  test("of another form are none", () => {
    expect(readHeaders(["x"], "headers").headers).toEqual([]);
    expect(readHeaders(null, "headers").headers).toEqual([]);
  });
});

describe("bodies", () => {
  test("as they are", () => {
    expect(readBody({ a: 1 }, null, "request").kind).toBe("json");
    expect(readBody([1], null, "response").kind).toBe("json");
    expect(readBody("text", { "content-type": "text/html" }, "response")).toMatchObject({ kind: "text", type: "text/html" });
    expect(readBody({ name: "Ada" }, { "content-type": "application/x-www-form-urlencoded" }, "request")).toMatchObject({ kind: "fields" });
  });
  test("that are described", () => {
    expect(readBody({ $body: { size: 90112, truncated: true, text: "{" } }, null, "request")).toMatchObject({ kind: "text", size: 90112, isTruncated: true });
    expect(readBody({ $body: { type: "image/png", size: 11, base64: "AA==" } }, null, "request")).toMatchObject({ kind: "bytes", type: "image/png" });
    expect(readBody({ $body: { type: "image/png", size: 7120 } }, null, "request")).toMatchObject({ kind: "none", why: expect.stringContaining("7120 bytes of image/png") as string });
    expect(readBody({ $body: { type: "a/b", encoding: "frob", size: 2 } }, null, "request")).toMatchObject({ kind: "none", why: expect.stringContaining("frob") as string });
    expect(readBody({ $body: { size: 1 }, other: 2 }, null, "request").kind).toBe("json");
  });
  test("that are missing", () => {
    expect(readBody(null, { request_size: 0 }, "request")).toEqual({ kind: "none", why: "There was none." });
    expect(readBody(null, { request_size: 0, "content-length": "5" }, "request")).toMatchObject({ why: expect.stringContaining("did not read it") as string });
    expect(readBody(null, { request_size: 500 }, "request")).toMatchObject({ why: expect.stringContaining("500 bytes") as string });
  });
});

describe("masked values", () => {
  test("are found in texts", () => {
    expect(splitMasked("sid=[masked:9f86d081884c7d65]; theme=[masked]").map((part) => [part.isMasked, part.hash])).toEqual([
      [false, null],
      [true, "9f86d081884c7d65"],
      [false, null],
      [true, null],
    ]);
    expect(splitMasked("")).toEqual([{ text: "", isMasked: false, hash: null }]);
  });
  test("are counted, and say by which rule", () => {
    expect(countMasked({ a: "[masked]", b: [{ c: "x [masked]" }, 1] })).toBe(2);
    expect(ruleOf("password", "[masked]")).toContain("password");
    expect(ruleOf("note", "see Bearer [masked]")).toContain("form");
  });
});

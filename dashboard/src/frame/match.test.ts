import { expect, test } from "vitest";
import { best, rank, rankWith, targetsOf } from "./match";

const NAMES = ["Overview", "Logs", "Requests", "Metrics", "GET /orders", "POST /orders/:id/pay", "Log out", "Copy the address", "Look around"];

function found(typed: string): string[] {
  return best(NAMES, typed, (one) => [one], 5);
}

test("names that begin so come first, then words, parts, initials, and letters in order", () => {
  expect(found("lo")).toEqual(["Logs", "Log out", "Look around"]);
  expect(found("orders")).toEqual(["GET /orders", "POST /orders/:id/pay"]);
  expect(found("pay post")).toEqual(["POST /orders/:id/pay"]);
  expect(found("cta")).toEqual(["Copy the address"]);
  expect(found("rqst")).toEqual(["Requests"]);
  expect(found("view")).toEqual(["Overview"]);
  expect(found("zz")).toEqual([]);
  expect(found("")).toEqual(NAMES.slice(0, 5));
});

test("a name that is typed whole is the best", () => {
  expect(rank("Logs", "logs")).toBe(0);
  expect(best(["Logs of today", "Logs"], "logs", (one) => [one], 2)).toEqual(["Logs", "Logs of today"]);
});

test("other words find a name, after those that have them in their own, and whole words or beginnings only", () => {
  const items: [string, string?][] = [["Sign language"], ["Log out", "sign out exit switch user"], ["Users", "people accounts"]];
  const of = (typed: string) => best(items, typed, (one) => one, 5).map(([name]) => name);
  expect(of("sign")).toEqual(["Sign language", "Log out"]);
  expect(of("sign out")).toEqual(["Log out"]);
  expect(of("exit")).toEqual(["Log out"]);
  expect(of("user")).toEqual(["Users", "Log out"]);
  expect(of("sou")).toEqual([]);
  expect(rankWith("Log out", undefined, "exit")).toBeNull();
});

test.each([
  ["log 123", [{ kind: "log", id: "123" }]],
  ["open request #45", [{ kind: "request", id: "45" }]],
  ["Open trace 4BF92F3577B34DA6A3CE929D0E0E4736", [{ kind: "trace", id: "4bf92f3577b34da6a3ce929d0e0e4736" }]],
  ["4bf92f3577b34da6a3ce929d0e0e4736", [{ kind: "trace", id: "4bf92f3577b34da6a3ce929d0e0e4736" }]],
  [
    "77",
    [
      { kind: "request", id: "77" },
      { kind: "log", id: "77" },
    ],
  ],
  ["log abc", []],
  ["trace a b", []],
  ["99999999999999999999", []],
  ["logs", []],
])("%s names records", (typed, expected) => {
  expect(targetsOf(typed)).toEqual(expected);
});

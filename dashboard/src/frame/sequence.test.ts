import { expect, test } from "vitest";
import { keysInFront, nameKeys, nextKeys } from "./sequence";

const KNOWN = ["j", "g l", "g g", "G", "?"];

test("keys in turn are found, and others go by themselves", () => {
  expect(nextKeys("", "j", KNOWN)).toEqual({ found: "j", before: "" });
  expect(nextKeys("", "g", KNOWN)).toEqual({ found: "", before: "g" });
  expect(nextKeys("g", "l", KNOWN)).toEqual({ found: "g l", before: "" });
  expect(nextKeys("g", "g", KNOWN)).toEqual({ found: "g g", before: "" });
  expect(nextKeys("g", "j", KNOWN)).toEqual({ found: "j", before: "" });
  expect(nextKeys("", "g", [...KNOWN, "g"])).toEqual({ found: "g", before: "g" });
  expect(nextKeys("g", "x", KNOWN)).toEqual({ found: "", before: "" });
});

test("each key is listed once as what it does now, and those of a focused part once in their group", () => {
  const run = () => undefined;
  const listed = keysInFront([
    { keys: "Enter", name: "of the view", run },
    { keys: "Enter", name: "of the list", run },
    { keys: "Enter", group: "In a chart", name: "of a chart" },
    { keys: "Enter", group: "In a chart", name: "of another chart" },
    { keys: "Escape", name: "listed" },
  ]);
  expect(listed.map(({ name }) => name)).toEqual(["of the view", "of a chart", "listed"]);
});

test("keys have readable names", () => {
  expect(nameKeys("mod+k", true)).toEqual([["⌘", "K"]]);
  expect(nameKeys("mod+k", false)).toEqual([["Ctrl", "K"]]);
  expect(nameKeys("g l", false)).toEqual([["g"], ["l"]]);
  expect(nameKeys("G", false)).toEqual([["Shift", "G"]]);
  expect(nameKeys("Escape", false)).toEqual([["Esc"]]);
  expect(nameKeys(" ", false)).toEqual([["Space"]]);
});

import { expect, test } from "vitest";
import { nameKeys, nextKeys } from "./sequence";

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

test("keys have readable names", () => {
  expect(nameKeys("mod+k", true)).toEqual([["⌘", "K"]]);
  expect(nameKeys("mod+k", false)).toEqual([["Ctrl", "K"]]);
  expect(nameKeys("g l", false)).toEqual([["g"], ["l"]]);
  expect(nameKeys("G", false)).toEqual([["Shift", "G"]]);
  expect(nameKeys("Escape", false)).toEqual([["Esc"]]);
  expect(nameKeys(" ", false)).toEqual([["Space"]]);
});

import { expect, test } from "vitest";
import { searchOf, storedOf } from "./saved";

test("a search is stored as the query of its address, without parameters of the moment", () => {
  const stored = storedOf("/logs", { q: 'level:error "a b"', range: "6h", open: "7", live: "1" });
  expect(stored).toEqual({ view: "logs", parameters: "q=level%3Aerror+%22a+b%22&range=6h" });
  expect(searchOf({ id: 1, name: "n", view: "logs", parameters: stored?.parameters ?? "" })).toEqual({ id: 1, name: "n", path: "/logs", params: { q: 'level:error "a b"', range: "6h" } });
});

test("the overview is a view, too, and the storage is none", () => {
  expect(storedOf("/", {})).toEqual({ view: "overview", parameters: "" });
  expect(searchOf({ id: 1, name: "n", view: "overview", parameters: "" }).path).toBe("/");
  expect(storedOf("/storage", {})).toBeNull();
});

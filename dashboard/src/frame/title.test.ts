import { expect, test } from "vitest";
import { titleOf } from "./title";

test("the title says the search, the view and the range", () => {
  expect(titleOf("/", {})).toBe("Overview · Lookback");
  expect(titleOf("/logs", { q: "level:error", range: "6h" })).toBe("level:error · Logs · Last 6 hours · Lookback");
  expect(titleOf("/users", { q: "level:error" })).toBe("Users · Lookback");
  expect(titleOf("/account", {})).toBe("Account · Lookback");
  expect(titleOf("/metrics", { q: "x", endpoint: "GET /orders" })).toBe("GET /orders · Metrics · Lookback");
  expect(titleOf("/nowhere", {})).toBe("Lookback");
  expect(titleOf("/logs", { q: "x".repeat(100) })).toHaveLength(60 + " · Logs · Lookback".length);
});

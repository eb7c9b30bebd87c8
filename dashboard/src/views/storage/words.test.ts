import { describe, expect, it, test } from "vitest";
import type { PrunePlan } from "../../api/storage";
import { age, blockerInWords, planInWords, retentionInWords, statesInWords, waitInWords } from "./words";

const plan: PrunePlan = { deleted_rows: 0, freed_bytes: 0, dropped_partitions: [], expired_rows: 0, soft_deleted_rows: 0, oldest_remaining: null, blockers: [] };

describe("retentionInWords", () => {
  it("says each limit", () => {
    expect(retentionInWords({ older_than_seconds: 14 * 86_400, larger_than_bytes: 50e9, deleted_older_than_seconds: 7 * 86_400 })).toBe("Kept for 14 days, up to 50.0 GB; deleted ones for 7 days");
    expect(retentionInWords({ older_than_seconds: null, larger_than_bytes: null, deleted_older_than_seconds: null })).toBe("Kept for good");
  });
});

describe("planInWords", () => {
  it("says what would be deleted", () => {
    expect(planInWords({ ...plan, deleted_rows: 140_001, freed_bytes: 18e6, dropped_partitions: [{ name: "p1", rows: 140_000, bytes: 18e6 }], expired_rows: 1 })).toBe(
      "1 partition as a whole (140,000 records, 18.0 MB), 1 record too old.",
    );
  });

  it("says that nothing would be, and why", () => {
    expect(planInWords(plan)).toBe("Nothing now.");
    expect(planInWords(null)).toBe("Nothing: there is no retention policy.");
    expect(blockerInWords({ partition: "logs_p1", reason: "takes_inserts", oldest: null })).toBe("logs_p1 stays: it takes inserts.");
  });
});

test.each([
  [0, "none waits"],
  [1, "1 record waits"],
  [2048, "2,048 records wait"],
])("%d records that are not sealed: %s", (unsealed, expected) => {
  expect(waitInWords(unsealed)).toBe(expected);
});

describe("statesInWords", () => {
  it("counts partitions by their state", () => {
    const one = { name: "", from: 0, to: 1, bytes: 0, estimated_rows: 0 };
    expect(statesInWords([{ ...one, state: "hot" }, { ...one, state: "frozen" }, { ...one, state: "frozen" }])).toBe("2 frozen, 1 in use");
    expect(statesInWords([])).toBe("–");
  });
});

describe("age", () => {
  it("has the largest whole unit", () => {
    expect([86_400, 36 * 3600, 90, 120].map(age)).toEqual(["1 day", "36 hours", "90 seconds", "2 minutes"]);
  });
});

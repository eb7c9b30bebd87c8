import { describe, expect, it } from "vitest";
import { expiresAt, today } from "./expiry";

const now = new Date(2026, 10, 29, 12, 0, 0);

describe("expiresAt", () => {
  it("is nothing for a key that never expires", () => {
    expect(expiresAt("never", "", now)).toBeNull();
  });

  it("is some days from now", () => {
    expect(expiresAt("30", "", now)).toBe(new Date(now.getTime() + 30 * 86_400_000).toISOString());
  });

  it("is the end of a day of the local zone", () => {
    expect(expiresAt("date", "2026-12-31", now)).toBe(new Date(2027, 0, 1).toISOString());
  });
});

describe("today", () => {
  it("is written as fields of dates have it", () => {
    expect(today(new Date(2026, 0, 5))).toBe("2026-01-05");
  });
});

import { describe, expect, it } from "vitest";
import { autoBucket, bucketNames, bucketStarts, fillBuckets, floorTo, MOST_BUCKETS, periodBefore, planBuckets } from "./buckets";

const at = (text: string) => new Date(text).getTime();
const local = (year: number, month: number, day: number) => new Date(year, month - 1, day).getTime();

describe("floorTo", () => {
  it("counts buckets of a fixed length in UTC, as the API does", () => {
    expect(floorTo(at("2026-11-29T10:07:31Z"), "5m")).toBe(at("2026-11-29T10:05:00Z"));
    expect(floorTo(at("2026-11-29T10:07:31Z"), "6h")).toBe(at("2026-11-29T06:00:00Z"));
    expect(floorTo(at("2000-12-31T23:59:59Z"), "1h")).toBe(at("2000-12-31T23:00:00Z"));
  });
  it("counts by the calendar in the local zone, weeks from Monday", () => {
    expect(floorTo(local(2026, 11, 29) + 5, "day")).toBe(local(2026, 11, 29));
    expect(floorTo(local(2026, 11, 29) + 5, "week")).toBe(local(2026, 11, 23));
    expect(floorTo(local(2026, 11, 29) + 5, "month")).toBe(local(2026, 11, 1));
  });
});

describe("bucketStarts", () => {
  it("has each bucket that meets the range", () => {
    expect(bucketStarts(at("2026-11-29T10:07:00Z"), at("2026-11-29T10:20:00Z"), "5m")).toEqual([at("2026-11-29T10:05:00Z"), at("2026-11-29T10:10:00Z"), at("2026-11-29T10:15:00Z")]);
  });
  it("goes over the ends of months", () => {
    expect(bucketStarts(local(2026, 1, 15), local(2026, 3, 2), "month")).toEqual([local(2026, 1, 1), local(2026, 2, 1), local(2026, 3, 1)]);
    expect(bucketStarts(local(2026, 2, 27), local(2026, 3, 2), "day")).toEqual([local(2026, 2, 27), local(2026, 2, 28), local(2026, 3, 1)]);
  });
});

describe("autoBucket", () => {
  it("takes the shortest bucket that gives few enough", () => {
    const until = new Date("2026-11-29T10:00:00Z");
    const back = (ms: number) => new Date(until.getTime() - ms);
    expect(autoBucket(back(3_600_000), until, 120)).toBe("1m");
    expect(autoBucket(back(86_400_000), until, 120)).toBe("15m");
    expect(autoBucket(back(30 * 86_400_000), until, 120)).toBe("6h");
    expect(autoBucket(back(3650 * 86_400_000), until, 120)).toBe("month");
  });
});

describe("planBuckets", () => {
  it("takes a longer bucket than the chosen one where there would be too many", () => {
    const plan = planBuckets(new Date("2026-01-01T00:00:00Z"), new Date("2026-11-29T00:00:00Z"), "1m");
    expect(plan.name).toBe("6h");
    expect(plan.starts.length).toBeLessThanOrEqual(MOST_BUCKETS);
  });
  it("takes the best one for a name that it does not know", () => {
    expect(planBuckets(new Date("2026-11-29T09:00:00Z"), new Date("2026-11-29T10:00:00Z"), "nonsense").name).toBe("1m");
  });
  it("takes no bucket that is longer than the range", () => {
    const [from, until] = [new Date("2026-11-29T09:07:00Z"), new Date("2026-11-29T10:07:00Z")];
    expect(planBuckets(from, until, "day").name).toBe("1m");
    expect(planBuckets(from, until, "1h").name).toBe("1h");
    expect(bucketNames(from, until)).toEqual(["1m", "5m", "15m", "1h"]);
  });
  it("names the zone for the calendar only", () => {
    const [from, until] = [new Date("2026-11-01T00:00:00Z"), new Date("2026-11-29T00:00:00Z")];
    expect(planBuckets(from, until, "day").parameter).toMatch(/^day@/);
    expect(planBuckets(from, until, "6h").parameter).toBe("6h");
  });
});

describe("periodBefore", () => {
  it("has as many buckets, and ends where the first one starts", () => {
    for (const name of ["5m", "6h", "day", "week", "month"]) {
      const starts = bucketStarts(local(2026, 3, 10), local(2026, 5, 20), name);
      const { from, until } = periodBefore({ name, starts });
      const before = bucketStarts(from.getTime(), until.getTime(), name);
      expect(until.getTime()).toBe(starts[0]);
      expect(before.length).toBe(starts.length);
      expect(before[0]).toBe(from.getTime());
    }
  });
});

describe("fillBuckets", () => {
  it("has a place for each bucket, whatever zone the start is written in", () => {
    const starts = [at("2026-11-29T10:00:00Z"), at("2026-11-29T10:05:00Z"), at("2026-11-29T10:10:00Z")];
    const groups = [{ start: "2026-11-29T11:10:00+01:00", n: 2 }, { start: "2026-11-29T10:00:00Z", n: 1 }];
    expect(fillBuckets(starts, groups).map((group) => group?.n)).toEqual([1, undefined, 2]);
  });
});

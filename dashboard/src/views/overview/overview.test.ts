import { describe, expect, it } from "vitest";
import { classOf, classSeries, shareOfClass } from "./classes";
import { sortAlerts } from "./panels";
import { notUsedBy } from "./summary";
import type { Alert } from "./panels";

describe("classSeries", () => {
  it("has a series for each class that there is, failures first, and gaps as none", () => {
    const series = classSeries([{ start: "", count: 4, groups: [{ value: 200, count: 2 }, { value: 201, count: 1 }, { value: 503, count: 1 }] }, undefined, { start: "", count: 1, groups: [{ value: null, count: 1 }] }]);
    expect(series.map(({ name, values }) => [name, values])).toEqual([
      ["no answer", [0, 0, 1]],
      ["5xx", [1, 0, 0]],
      ["2xx", [3, 0, 0]],
    ]);
  });
  it("takes what is no status code for no answer", () => {
    expect([null, 0, 99, 600, 404, "404"].map(classOf)).toEqual(["no answer", "no answer", "no answer", "no answer", "4xx", "4xx"]);
  });
});

describe("shareOfClass", () => {
  it("is a share of all requests, and none of no requests", () => {
    const bucket = { start: "", count: 5, groups: [{ value: 200, count: 2 }, { value: 404, count: 1 }, { value: "429", count: 1 }, { value: null, count: 1 }] };
    expect(shareOfClass([bucket], "4xx")).toBe(0.4);
    expect(shareOfClass([], "4xx")).toBeNull();
  });
});

describe("sortAlerts", () => {
  it("has firing rules first, and rules that are off last", () => {
    const alert = (name: string, state: string, enabled = true, problem: string | null = null) => ({ name, enabled, status: { state, since: null, value: null, problem } }) as Alert;
    const sorted = sortAlerts([alert("d", "ok"), alert("e", "firing", false), alert("c", "ok", true, "too slow"), alert("b", "pending"), alert("a", "firing")]);
    expect(sorted.map(({ name }) => name)).toEqual(["a", "b", "c", "d", "e"]);
  });
});

describe("notUsedBy", () => {
  it("has the filters that a kind of record has no field for, without what is so anyway", () => {
    const text = "method:POST level:error endpoint:*pay* -direction:outgoing payment";
    expect(notUsedBy(text, "logs")).toBe("method:POST endpoint:*pay*");
    expect(notUsedBy(text, "requests")).toBe("level:error endpoint:*pay*");
    expect(notUsedBy("-direction:outgoing", "metrics")).toBe("");
  });
});

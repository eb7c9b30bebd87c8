import { describe, expect, it } from "vitest";
import { endInWords, ruleInWords, seconds } from "./words";
import type { Said } from "./words";

const rule: Said = {
  subject: "logs",
  measure: "count",
  pairs: [
    ["level", "error"],
    ["source", "API"],
  ],
  comparison: "above",
  threshold: 5,
  period: 300,
  fireAfter: 0,
  resolveAfter: 60,
  webhook: "https://hooks.example.com/…",
};

describe("ruleInWords", () => {
  it("says a count with its filters and what is called", () => {
    expect(ruleInWords(rule)).toBe("When more than 5 log lines with level error and source API come in 5 minutes, call https://hooks.example.com/…");
  });

  it("says any and none", () => {
    expect(ruleInWords({ ...rule, pairs: [], threshold: 0, webhook: null })).toBe("When any log line comes in 5 minutes, note it here.");
    expect(ruleInWords({ ...rule, pairs: [["source", "cron"]], comparison: "below", threshold: 1, period: 600, webhook: null })).toBe(
      "When no log line with source cron comes in 10 minutes, note it here.",
    );
  });

  it("says how long it has to last", () => {
    expect(ruleInWords({ ...rule, pairs: [], fireAfter: 120 })).toContain("come in 5 minutes, and it stays so for 2 minutes, call");
  });

  it("says rates in percent and latencies in milliseconds", () => {
    expect(ruleInWords({ ...rule, subject: "metrics", measure: "error_rate", threshold: 0.05, pairs: [], webhook: null })).toBe("When the error rate is above 5 % over 5 minutes, note it here.");
    expect(ruleInWords({ ...rule, subject: "metrics", measure: "p95_latency", threshold: 800, pairs: [["endpoint__contains", "checkout"]], webhook: null })).toBe(
      "When the p95 latency of endpoints with “checkout” in endpoint is above 800 ms over 5 minutes, note it here.",
    );
  });

  it("says new patterns", () => {
    expect(ruleInWords({ ...rule, subject: "requests", measure: "new_patterns", threshold: 0, pairs: [], webhook: null })).toBe("When any new pattern of requests comes in 5 minutes, note it here.");
  });

  it("says words and lookups", () => {
    const pairs: Said["pairs"] = [
      ["match", "disk full"],
      ["status_code__between", "500,599"],
      ["level__in", "warn,error"],
      ["user_id__isnull", "true"],
      ["meta.a__other", "x"],
    ];
    expect(ruleInWords({ ...rule, pairs, webhook: null })).toContain("with the words “disk full” and status_code 500 to 599 and level warn or error and no user_id and meta.a__other=x come in");
  });
});

describe("filters that are no fields", () => {
  it("are said as they are, and long values cut", () => {
    expect(ruleInWords({ ...rule, pairs: [["or(level", "error,level=warn)"]], webhook: null })).toContain("with or(level=error,level=warn) come");
    expect(ruleInWords({ ...rule, pairs: [["source", "x".repeat(1000)]], webhook: null }).length).toBeLessThan(200);
  });
});

describe("endInWords", () => {
  it("says when it is over", () => {
    expect(endInWords(rule)).toBe("When that has not been so for 1 minute, call again.");
    expect(endInWords({ resolveAfter: 0, webhook: null })).toBe("As soon as that is not so, note that it is resolved.");
  });
});

describe("seconds", () => {
  it("has the largest whole unit", () => {
    expect([0, 1, 60, 90, 300, 3600, 86_400].map(seconds)).toEqual(["0 seconds", "1 second", "1 minute", "90 seconds", "5 minutes", "1 hour", "1 day"]);
  });
});

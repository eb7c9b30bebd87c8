import { describe, expect, it } from "vitest";
import { endInWords, messageInWords, ruleInWords, seconds, valueInWords } from "./words";
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
    expect(ruleInWords({ ...rule, subject: "metrics", measure: "error_rate", threshold: 0.05, pairs: [], webhook: null })).toBe("When the error rate is above 5\u00a0% over 5 minutes, note it here.");
    expect(ruleInWords({ ...rule, subject: "metrics", measure: "p95_latency", threshold: 800, pairs: [["endpoint__contains", "checkout"]], webhook: null })).toBe(
      "When the p95 latency of endpoints with “checkout” in endpoint is above 800\u00a0ms over 5 minutes, note it here.",
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

describe("valueInWords", () => {
  it("has the format of what is measured", () => {
    expect(valueInWords("error_rate", 0.32954545454545453)).toBe("33.0 %");
    expect(valueInWords("p95_latency", 1234.5)).toBe("1.23 s");
    expect(valueInWords("count", 12_431)).toBe("12,431");
    expect(valueInWords("count", null)).toBe("–");
  });
});

describe("messageInWords", () => {
  it("shows the numbers of a message by what is measured", () => {
    const payload = { measure: "error_rate", threshold: 0.05, value: 0.32954545454545453 };
    expect(messageInWords({ message: "pay 0.05 is firing: error rate in the last 5m: 0.32954545454545453 (> 0.05)", payload })).toBe("pay 0.05 is firing: error rate in the last 5m: 33.0 % (> 5.0 %)");
    expect(messageInWords({ message: "pay is resolved: error rate in the last 5m: no value (> 0.05)", payload: { ...payload, value: null } })).toBe("pay is resolved: error rate in the last 5m: no value (> 5.0 %)");
    expect(messageInWords({ message: "slow: p95 latency (ms) in the last 5m: 1234.5 (> 800)", payload: { measure: "p95_latency", threshold: 800, value: 1234.5 } })).toBe("slow: p95 latency in the last 5m: 1.23 s (> 800 ms)");
  });

  it("leaves other messages as they are", () => {
    expect(messageInWords({ message: "pay was deleted while it was firing", payload: { measure: "error_rate", threshold: 0.05, value: 0.1 } })).toBe("pay was deleted while it was firing");
    expect(messageInWords({ message: "x", payload: null })).toBe("x");
  });
});

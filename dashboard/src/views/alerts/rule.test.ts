import { describe, expect, it } from "vitest";
import { parse } from "../../query/parse";
import { bodyOf, filterOf, isMeasured, NEW_RULE, pairsOf, searchOf, searchOfFilter, thresholdOf } from "./rule";

describe("filterOf", () => {
  it("writes a search as a filter of the API", () => {
    expect(filterOf({ search: 'level:error source:API payment "timed out"', subject: "logs", isRaw: false })).toBe("level=error&source=API&match=payment+%22timed+out%22");
    expect(filterOf({ search: "  ", subject: "logs", isRaw: false })).toBeNull();
  });
});

describe("searchOf", () => {
  it("is read back as the same filter", () => {
    for (const filter of ["level=error&source=API", "level__in=warn%2Cerror", "match=disk+full", "status_code__between=500%2C599", "source=a+b", "meta.user.id=42", ""]) {
      const model = filter.startsWith("status") ? "requests" : "logs";
      const text = searchOf(filter, model);
      expect(text, filter).not.toBeNull();
      expect(new URLSearchParams(pairsOf({ search: text ?? "", subject: model, isRaw: false })).toString()).toBe(filter);
    }
  });

  it("is nothing where no search says the same", () => {
    expect(searchOf("or(level=error,level=warn)", "logs")).toBeNull();
  });
});

describe("thresholdOf", () => {
  it("takes error rates in percent", () => {
    expect(thresholdOf({ measure: "error_rate", threshold: "7" })).toBe(0.07);
    expect(thresholdOf({ measure: "count", threshold: "7" })).toBe(7);
    expect(thresholdOf({ measure: "count", threshold: "" })).toBeNaN();
  });
});

describe("bodyOf", () => {
  it("leaves the webhook of before alone unless another is typed", () => {
    expect(bodyOf(NEW_RULE)).not.toHaveProperty("webhook_url");
    expect(bodyOf({ ...NEW_RULE, hasWebhook: false })["webhook_url"]).toBeNull();
    expect(bodyOf({ ...NEW_RULE, webhook: " https://a.example/x " })["webhook_url"]).toBe("https://a.example/x");
  });
});

describe("isMeasured", () => {
  it("takes the state of a rule that was never evaluated for none", () => {
    const of = (status: object) => isMeasured({ status: { state: "ok", evaluated_at: null, problem: null, ...status } as never });
    expect(of({})).toBe(false);
    expect(of({ evaluated_at: "2026-11-30T03:39:55Z" })).toBe(true);
    expect(of({ problem: "too slow" })).toBe(true);
  });
});

describe("searchOfFilter", () => {
  it("is a search that means the same to the view", () => {
    expect(searchOfFilter("", "logs")).toBe("");
    const query = parse(searchOfFilter("level=error&source=shop%3A%3Aapi&match=disk+full&message__contains=a+%22b%22", "logs"), "logs");
    expect(query.problems).toEqual([]);
    expect(query.filters).toEqual([["level", "error"], ["source", "shop::api"], ["message__contains", 'a "b"']]);
    expect(query.words).toBe("disk full");
  });
});

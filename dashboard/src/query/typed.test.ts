import { describe, expect, it } from "vitest";
import { parse } from "./parse";
import { globOf, searchForModel, typedOf, withEndpoint } from "./typed";
import type { Model } from "./parse";

describe("typedOf", () => {
  it("has filters in the form that people type, and they mean the same", () => {
    const forms: [Model, string][] = [
      ["metrics", "endpoint:*pay*"],
      ["logs", "level:warn,error -source:API"],
      ["requests", "status:5xx path:/orders/* user:null"],
      ["requests", "duration:>500 status:200..404"],
      ["requests", "route:/orders/{id}/pay"],
      ["logs", 'source:"a b" payment "timed out"'],
    ];
    for (const [model, text] of forms) {
      const { filters, words } = parse(text, model);
      expect(typedOf(words === "" ? filters : [...filters, ["match", words]], model)).toBe(text);
    }
  });

  it("has the form of the command line for what has no shorter one, and nothing for groups that no text says", () => {
    expect(typedOf([["endpoint__contains", "check out"]], "metrics")).toBe('endpoint__contains="check out"');
    expect(typedOf([["or(level", "error,level=warn)"]], "logs")).toBeNull();
  });
});

describe("globOf", () => {
  it("has stars for gaps, and letters as they are", () => {
    expect(globOf("%pay%")).toBe("*pay*");
    expect(globOf("50\\%%")).toBe("50%*");
    expect(globOf("a_b")).toBeNull();
    expect(globOf("a*b%")).toBeNull();
  });
});

describe("searchForModel", () => {
  it("takes over what the other has", () => {
    expect(searchForModel("level:error", "metrics")).toEqual({ text: "", leftOut: ["level:error"] });
    expect(searchForModel("level:error payment", "requests")).toEqual({ text: "payment", leftOut: ["level:error"] });
    expect(searchForModel("source:API level:error payment", "logs")).toEqual({ text: "source:API level:error payment", leftOut: [] });
  });

  it("says routes by the names of endpoints", () => {
    expect(withEndpoint("route:/orders/{id}/pay")).toBe("endpoint:*/orders/{id}/pay");
    expect(withEndpoint("method:POST route:/orders/{id}/pay")).toBe('endpoint:"POST /orders/{id}/pay"');
    expect(searchForModel("route:/orders/{id}/pay status:5xx", "metrics")).toEqual({ text: "endpoint:*/orders/{id}/pay", leftOut: ["status:5xx"] });
    expect(parse(withEndpoint("route:/orders/{id}/pay"), "metrics").problems).toEqual([]);
    expect(withEndpoint("-route:/a level:error")).toBe("-route:/a level:error");
  });
});

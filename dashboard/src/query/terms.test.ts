import { expect, test } from "vitest";
import { parse } from "./parse";
import { checkTerms, widerForm } from "./terms";

test("each term is looked at by itself, and the search without it", () => {
  const checks = checkTerms('timeout source:pay -level:debug "a b"', "logs");
  expect(checks.map((check) => [check.text, check.alone, check.rest])).toEqual([
    ["timeout", [["match", "timeout"]], 'source:pay -level:debug "a b"'],
    ["source:pay", [["source", "pay"]], 'timeout -level:debug "a b"'],
    ["-level:debug", [["level__ne", "debug"]], 'timeout source:pay "a b"'],
    ['"a b"', [["match", '"a b"']], "timeout source:pay -level:debug"],
  ]);
  expect(checks[1]?.wider).toEqual({ form: "source:*pay*", text: 'timeout source:*pay* -level:debug "a b"' });
});

test("a filter has a form that finds what contains its value", () => {
  expect(widerForm("source:pay", "logs")).toBe("source:*pay*");
  expect(widerForm("source:pay*", "logs")).toBe("source:*pay*");
  expect(widerForm("source:pay,db", "logs")).toBe("source:*pay*,*db*");
  expect(widerForm('source:"pay ment"', "logs")).toBe('source__icontains="pay ment"');
  expect(widerForm("meta.user.name:ada", "logs")).toBe("meta.user.name:*ada*");
  expect(widerForm("path:/orders/*", "requests")).toBe("path:*/orders/*");
  for (const form of ["source:*pay*", "source:*pay*,*db*", 'source__icontains="pay ment"', "meta.user.name:*ada*"]) expect(parse(form, "logs").problems).toEqual([]);
});

test("what contains already, has few values, or excludes, has none", () => {
  for (const typed of ["source:*pay*", "level:error", "message:pay", "id:5", "-source:pay", "source:null", "source:*", "time:today", "source__ilike=%pay%"]) expect(widerForm(typed, "logs")).toBeNull();
});

test("a word is looked for as a part of the text", () => {
  expect(widerForm("paymen", "logs")).toBe("message:paymen");
  expect(widerForm('"gateway time"', "logs")).toBe('message:"gateway time"');
  expect(widerForm("paymen", "requests")).toBe("path:*paymen*");
});

test("a field that does not exist is reported, with the nearest one", () => {
  const [near] = checkTerms("sorce:pay", "logs");
  expect(near?.note).toMatch(/no field sorce/);
  expect(near?.instead).toEqual({ form: "source:pay", text: "source:pay" });
  const [far] = checkTerms("customer:4711", "logs");
  expect(far?.note).toMatch(/no field customer: .*level, source, message/);
  expect(far?.instead).toBeNull();
  expect(checkTerms("http://x level:error", "logs").map((check) => check.note)).toEqual([null, null]);
});

test("what restricts nothing is left out", () => {
  expect(checkTerms("status:5xx level:", "logs")).toEqual([]);
});

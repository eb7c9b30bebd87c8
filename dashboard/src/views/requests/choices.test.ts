import { describe, expect, test } from "vitest";
import { classesOf, toggleClass, withoutStatus } from "./choices";

test("filters of the status code are left out, and no others", () => {
  expect(withoutStatus("a method:GET status:5xx b -status_code:404 status:200,5xx duration:>5")).toBe("a method:GET b duration:>5");
});

describe("classes of status codes", () => {
  test("beside each other are a span", () => {
    expect(toggleClass("", 5)).toBe("status:5xx");
    expect(toggleClass("status:5xx", 4)).toBe("status:400..599");
    expect(classesOf("status:400..599")).toEqual([4, 5]);
  });
  test("apart from each other leave out what is between", () => {
    const text = toggleClass("x status:5xx", 2);
    expect(text).toBe("x status:200..599 -status:3xx -status:4xx");
    expect(classesOf(text)).toEqual([2, 5]);
    expect(toggleClass(text, 2)).toBe("x status:5xx");
  });
  test("are not those of a single code", () => {
    expect(classesOf("status:502")).toEqual([]);
    expect(toggleClass("status:502", 4)).toBe("status:4xx");
  });
});

import { describe, expect, test } from "vitest";
import { classesOf, selectionOf, toggle, toggleClass, withoutField } from "./choices";

describe("values of a field", () => {
  test("are chosen one by one, and taken away again", () => {
    const one = toggle("slow", "method", "method", "GET");
    expect(one).toBe("slow method:GET");
    const two = toggle(one, "method", "method", "POST");
    expect(two).toBe("slow method:GET,POST");
    expect(toggle(two, "method", "method", "GET")).toBe("slow method:POST");
    expect(toggle(toggle(two, "method", "method", "GET"), "method", "method", "POST")).toBe("slow");
  });
  test("that were typed are known, by their short name as well", () => {
    expect(selectionOf('user:u-1 -user:"a b" user_id__in=u-2,u-3 country:null', "user_id")).toEqual({ included: ["u-1", "u-2", "u-3"], excluded: ["a b"] });
    expect(selectionOf("country:null", "geo_country").included).toEqual([null]);
  });
  test("of routes are known, whose filters look at paths, too", () => {
    const one = toggle("", "headers.route", "route", "/orders/{id}");
    expect(one).toBe("route:/orders/{id}");
    const two = toggle(one, "headers.route", "route", "/login");
    expect(two).toBe("route:/orders/{id},/login");
    expect(selectionOf(two, "headers.route")).toEqual({ included: ["/orders/{id}", "/login"], excluded: [] });
    expect(toggle(two, "headers.route", "route", "/login")).toBe(one);
    const without = toggle("method:GET", "headers.route", "route", "/files/{*rest}", true);
    expect(without).toBe('method:GET -route:"/files/{*rest}"');
    expect(selectionOf(without, "headers.route")).toEqual({ included: [], excluded: ["/files/{*rest}"] });
    expect(withoutField(without, "headers.route")).toBe("method:GET");
    expect(selectionOf("headers.route:/login", "headers.route").included).toEqual(["/login"]);
    expect(selectionOf("or=(path=/a,path=/b) route:/a*", "headers.route")).toEqual({ included: [], excluded: [] });
  });
  test("with signs of the search are chosen alone", () => {
    expect(toggle("user:u-1", "user_id", "user", "a,b")).toBe('user:"a,b"');
    expect(toggle("country:DE", "geo_country", "country", null)).toBe("country:null");
  });
  test("are excluded, and let back in", () => {
    const text = toggle("", "path", "path", "/items", true);
    expect(text).toBe("-path:/items");
    expect(toggle(text, "path", "path", "/items")).toBe("");
    expect(toggle(text, "path", "path", "/items", true)).toBe("");
  });
  test("are left out of the text of their own counts", () => {
    expect(withoutField("a method:GET b -method:PUT status:5xx", "method")).toBe("a b status:5xx");
  });
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

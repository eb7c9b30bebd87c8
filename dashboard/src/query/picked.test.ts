import { describe, expect, test } from "vitest";
import { pickedValues, togglePicked, withoutPicked } from "./picked";

describe("values of a field", () => {
  test("are picked one by one, and given back", () => {
    const one = togglePicked("timeout", "logs", "level", "error", false);
    expect(one).toBe("timeout level:error");
    const two = togglePicked(one, "logs", "level", "warn", false);
    expect(two).toBe("timeout level:error,warn");
    expect(pickedValues(two, "logs", "level").chosen).toEqual(["error", "warn"]);
    expect(togglePicked(togglePicked(two, "logs", "level", "error", false), "logs", "level", "warn", false)).toBe("timeout");
  });
  test("that are excluded are let back in, and what was asked for can be excluded", () => {
    expect(togglePicked("source:API", "logs", "source", "API", true)).toBe("-source:API");
    expect(togglePicked("-source:API", "logs", "source", "API", true)).toBe("");
    expect(togglePicked("-source:API", "logs", "source", "API", false)).toBe("");
    expect(togglePicked("-source:API", "logs", "source", "WORKER", true)).toBe("-source:API,WORKER");
    expect(togglePicked("", "logs", "meta.stage", null, false)).toBe("meta.stage:null");
  });
  test("that were typed are known, by their short name as well", () => {
    expect(pickedValues('user:u-1 -user:"a b" user_id__in=u-2,u-3 country:null', "requests", "user_id")).toEqual({ chosen: ["u-1", "u-2", "u-3"], excluded: ["a b"] });
    expect(pickedValues("country:null", "requests", "geo_country").chosen).toEqual([null]);
    expect(pickedValues('source:"a, b",c', "logs", "source").chosen).toEqual(["a, b", "c"]);
  });
  test("with signs of the search are chosen alone", () => {
    expect(togglePicked("source:API", "logs", "source", "a b", false)).toBe('source:"a b"');
    expect(togglePicked("user:u-1", "requests", "user_id", "a,b", false, "user")).toBe('user:"a,b"');
  });
  test("leave a pattern of the field as it is", () => {
    expect(togglePicked("source:*pay*", "logs", "source", "payroll", true)).toBe("source:*pay* -source:payroll");
    expect(withoutPicked("source:*pay* -source:payroll", "logs", "source")).toBe("source:*pay*");
  });
  test("that are several conditions are read as they were typed", () => {
    expect(pickedValues("meta.stage:null,prod", "logs", "meta.stage").chosen).toEqual([null, "prod"]);
    expect(togglePicked("meta.stage:null,prod", "logs", "meta.stage", null, false)).toBe("meta.stage:prod");
    expect(pickedValues("duration:1..5,9", "requests", "duration").chosen).toEqual([]);
  });
  test("of routes are known, whose filters look at paths, too", () => {
    const toggle = (text: string, value: string, isExcluded = false) => togglePicked(text, "requests", "headers.route", value, isExcluded, "route");
    const one = toggle("", "/orders/{id}");
    expect(one).toBe("route:/orders/{id}");
    const two = toggle(one, "/login");
    expect(two).toBe("route:/orders/{id},/login");
    expect(pickedValues(two, "requests", "headers.route")).toEqual({ chosen: ["/orders/{id}", "/login"], excluded: [] });
    expect(toggle(two, "/login")).toBe(one);
    const without = toggle("method:GET", "/files/{*rest}", true);
    expect(without).toBe('method:GET -route:"/files/{*rest}"');
    expect(pickedValues(without, "requests", "headers.route")).toEqual({ chosen: [], excluded: ["/files/{*rest}"] });
    expect(withoutPicked(without, "requests", "headers.route")).toBe("method:GET");
    expect(pickedValues("headers.route:/login", "requests", "headers.route").chosen).toEqual(["/login"]);
    expect(pickedValues("or=(path=/a,path=/b) route:/a*", "requests", "headers.route")).toEqual({ chosen: [], excluded: [] });
  });
  test("within JSON keep their type", () => {
    expect(togglePicked("", "logs", "meta.attempt", 3, false)).toBe("meta.attempt:3");
    expect(togglePicked("", "logs", "meta.attempt", "3", false)).toBe('meta.attempt:"3"');
    expect(togglePicked("meta.attempt:3", "logs", "meta.attempt", 3, false)).toBe("");
    expect(togglePicked("meta.attempt:3", "logs", "meta.attempt", 4, false)).toBe("meta.attempt:3,4");
    expect(pickedValues("meta.attempt:3,4", "logs", "meta.attempt").chosen).toEqual([3, 4]);
    expect(pickedValues('meta.stage:prod meta.ok:true', "logs", "meta.ok").chosen).toEqual([true]);
  });
});

test("filters of other fields stay", () => {
  expect(withoutPicked("a level:error b -level:warn source:API", "logs", "level")).toBe("a b source:API");
});

import { describe, expect, test } from "vitest";
import { parse } from "./parse";
import { endpointHint, endpointName, requestsOf } from "./route";

describe("the requests of an endpoint", () => {
  test.each([
    ["GET /orders/{id}/pay", "method:GET route:/orders/{id}/pay"],
    ["GET /files/:name", "method:GET route:/files/:name"],
    ["GET /files/{*rest}", 'method:GET route:"/files/{*rest}"'],
    ["POST /orders", "method:POST route:/orders"],
    ["GET /a b", 'method:GET route:"/a b"'],
    ["GET unmatched", "method:GET route:unmatched"],
    ["GET (no route)", "method:GET route:null -direction:outgoing"],
    ["/jobs", "route:/jobs"],
  ])("%s are %s", (endpoint, search) => {
    expect(requestsOf(endpoint)).toBe(search);
    expect(parse(search, "requests").problems).toEqual([]);
    expect(parse(search, "requests").words).toBe("");
  });
});

test("an endpoint without a route is named in plain words", () => {
  expect(["GET unmatched", "unmatched", "GET /unmatched", "GET /orders"].map(endpointName)).toEqual(["GET (no such route)", "(no such route)", "GET /unmatched", "GET /orders"]);
  expect(endpointHint("GET unmatched")).toMatch(/no route/);
  expect(endpointHint("GET /orders")).toBe("GET /orders");
});

test("the requests of an endpoint that a search finds", () => {
  expect(requestsOf("GET /orders", "stage:prod timeout")).toBe("stage:prod timeout method:GET route:/orders");
});

/** What stands for a route among requests that have none. */
function pathsOf(route: string): string {
  const [parameter] = parse(`route:"${route}"`, "requests").filters;
  return /headers\.direction__ne=outgoing,(.*)\)\)$/.exec(parameter?.[1] ?? "")?.[1] ?? "";
}

describe("requests without a route are of it by their path", () => {
  test.each([
    ["/orders", "path=/orders"],
    // A part that varies is no more than one part.
    ["/orders/{id}", "path__like=/orders/_%,path__notlike=%/%/%/%"],
    ["/orders/:id/pay", "path__like=/orders/_%/pay,path__notlike=%/%/%/%/%"],
    ["/files/{name}.{ext}", "path__like=/files/_%._%,path__notlike=%/%/%/%"],
    ["/a_b/100%/{id}", 'path__like="/a\\\\_b/100\\\\%/_%",path__notlike=%/%/%/%/%'],
    ["/at/12:30", "path=/at/12:30"],
    // The rest of a path may have slashes.
    ["/files/{*rest}", "path__like=/files/_%"],
    ["/files/*", "path__like=/files/_%"],
  ])("%s: %s", (route, expected) => {
    expect(pathsOf(route)).toBe(expected);
  });
});

test("several routes, and all but one", () => {
  expect(parse("route:/a,/b", "requests").filters).toEqual([
    ["or", "(or(headers.route=/a,and(headers.route__isnull=true,headers.direction__ne=outgoing,path=/a)),or(headers.route=/b,and(headers.route__isnull=true,headers.direction__ne=outgoing,path=/b)))"],
  ]);
  expect(parse("-route:/a", "requests").filters).toEqual([["not", "(or(headers.route=/a,and(headers.route__isnull=true,headers.direction__ne=outgoing,path=/a)))"]]);
});

test("a route waits in the views of other records", () => {
  expect(parse("route:/a", "logs").terms[0]?.isOfAnotherModel).toBe(true);
});

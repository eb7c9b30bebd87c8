/**
 * Routes in the search: `route:/orders/{id}`. Capture notes the route of a request; of requests
 * that have none, as those of access logs, it finds those whose path the route fits.
 */
import { condition, join, literal } from "./conditions";
import type { Condition, Node } from "./conditions";
import { shortLine } from "../parts/text";
import { withFilter } from "./edit";

/** Where capture notes the route, and that the application sent the request itself. */
export const ROUTE_FIELD = "headers.route";
const DIRECTION_FIELD = "headers.direction";

/** The name of an endpoint whose requests have neither a route nor a path. */
export const NO_ROUTE = "(no route)";

/** What capture notes in place of a route for requests whose address no route of the application fits. */
export const UNMATCHED = "unmatched";
export const WHY_UNMATCHED = "Requests for addresses that the application has no route for";

/** An endpoint as one reads it: `GET unmatched` says nothing to one who does not know what capture notes. */
export function endpointName(endpoint: string): string {
  return /^(\S+ )?unmatched$/.test(endpoint) ? endpoint.replace(UNMATCHED, "(no such route)") : endpoint;
}

/** What stands behind the name of an endpoint. */
export function endpointHint(endpoint: string): string {
  return endpointName(endpoint) === endpoint ? shortLine(endpoint) : WHY_UNMATCHED;
}

/** The parts of a route that vary: `{id}` of axum and OpenAPI, `:id` of Express and Rails. */
const VARYING = /\{([*]?)[^{}/]*\}|(?<=\/):[A-Za-z_]\w*|(?<=\/)\*\w*/g;

/** Requests of a route, as a condition of the API: of a route that was noted, or without one and of a path. */
export function ofRoute(noted: Node, paths: Node[]): Node {
  return join("or", [noted, join("and", [condition(ROUTE_FIELD, "isnull", "true"), condition(DIRECTION_FIELD, "ne", "outgoing"), ...paths])]);
}

/** Conditions for the paths that a route fits. */
export function pathsOf(route: string): Condition[] {
  const varying = [...route.matchAll(VARYING)];
  if (varying.length === 0) return [condition("path", "", literal(route))];
  let pattern = "";
  let at = 0;
  for (const part of varying) {
    // A part that varies has a character at least.
    pattern += `${escaped(route.slice(at, part.index))}_%`;
    at = part.index + part[0].length;
  }
  const fits = condition("path", "like", literal(pattern + escaped(route.slice(at))));
  const hasRest = varying.some(([text, star]) => star === "*" || text.startsWith("*"));
  if (hasRest) return [fits];
  // It has no slash: a path with more of them is of another route.
  const slashes = route.replace(VARYING, "x").split("/").length - 1;
  return [fits, condition("path", "notlike", `%${"/%".repeat(slashes + 1)}`)];
}

function escaped(text: string): string {
  return text.replace(/[\\%_]/g, "\\$&");
}

/** The requests of an endpoint, `GET /orders/{id}`, as a search; with a text, those of them that it finds. */
export function requestsOf(endpoint: string, text = ""): string {
  const space = endpoint.indexOf(" ");
  const [method, route] = space > 0 ? [endpoint.slice(0, space), endpoint.slice(space + 1)] : ["", endpoint];
  const ofMethod = method === "" ? text : withFilter(text, "method", method);
  if (route !== NO_ROUTE) return withFilter(ofMethod, "route", route);
  // What the application sent itself has no route, and is of no endpoint.
  return withFilter(withFilter(ofMethod, "route", null), "direction", "outgoing", true);
}

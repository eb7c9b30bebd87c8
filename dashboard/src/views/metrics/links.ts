/** Searches that other views understand. */
import { withFilter } from "../../query/parse";

/** The requests of an endpoint, `GET /orders/{id}`, as a search: parts of a route that vary are stars. */
export function requestsOf(endpoint: string): string {
  const space = endpoint.indexOf(" ");
  const [method, route] = space > 0 ? [endpoint.slice(0, space), endpoint.slice(space + 1)] : ["", endpoint];
  const path = route.replace(/\{[^}]*\}|(?<=\/):[^/]+/g, "*");
  const text = method === "" ? "" : withFilter("", "method", method);
  // A quoted star is a star, so that a path is quoted only if it has none.
  return path.includes("*") && !/[\s",]/.test(path) ? `${text} path:${path}`.trim() : withFilter(text, "path", path);
}

/** The path of a request with its query, on one line, as its address had it. */
import { cutEnd, oneLine, shortLine } from "./text";

/** As much as a row has room for; the detail has all of it. */
const LONGEST = 300;

/** Signs that would end or part something in an address. All others are shown as they are, and masked values as they are stored. */
const SIGNS: Record<string, string> = { " ": "+", "&": "%26", "=": "%3D", "#": "%23", "%": "%25", "+": "%2B" };

function written(text: string, signs: RegExp): string {
  return text.slice(0, LONGEST).replace(signs, (sign) => SIGNS[sign] ?? sign);
}

/** A stored query, which is an object or a text, as the part of an address behind the path: `?month=13`; empty if there is none. */
export function queryText(query: unknown, most = LONGEST): string {
  if (typeof query === "string") return query === "" ? "" : cutEnd(oneLine(`?${query.replace(/^\?/, "").slice(0, 4 * most)}`), most);
  if (typeof query !== "object" || query === null || Array.isArray(query)) return "";
  let text = "";
  for (const [name, values] of Object.entries(query)) {
    for (const value of Array.isArray(values) && values.length > 0 ? (values as unknown[]) : [values]) {
      const end = value === null || value === undefined ? "" : `=${written(typeof value === "string" ? value : JSON.stringify(value), /[ &#%+]/g)}`;
      text += `${text === "" ? "?" : "&"}${written(name, /[ &=#%+]/g)}${end}`;
      if (text.length > 2 * most) return cutEnd(oneLine(text), most);
    }
  }
  return cutEnd(oneLine(text), most);
}

export interface Addressed {
  path: string;
  query: unknown;
  headers: unknown;
}

/** Whom the application asked, of a request that it sent itself; else empty, since it is the application. */
export function askedHost({ headers }: Pick<Addressed, "headers">): string {
  if (typeof headers !== "object" || headers === null) return "";
  const { direction, host } = headers as Record<string, unknown>;
  return direction === "outgoing" && typeof host === "string" ? shortLine(host, 100) : "";
}

/** All of it as one text, for what has no room for marks: hints, and names for those who cannot see the page. */
export function pathAndQuery(request: Addressed, most = LONGEST): string {
  return cutEnd(`${askedHost(request)}${oneLine(request.path.slice(0, 4 * most))}${queryText(request.query, most)}`, most);
}

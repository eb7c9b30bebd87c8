/** The path of a request with its query, on one line, as its address had it. */
import { cutEnd, oneLine, shortLine, whole } from "./text";

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

/** The shortest beginning and end that say something. */
const LEAST_HEAD = 4;

/** A path that is longer than its room without what is in its middle: its last parts say what was done, `/orders/…/pay`. */
export function shortPath(path: string, most: number): string {
  const line = oneLine(path.slice(0, 4 * LONGEST));
  if (line.length <= most || most < 2 * LEAST_HEAD) return cutEnd(line, Math.max(most, 2 * LEAST_HEAD));
  const parts = line.split("/").slice(1);
  const ends = parts.map((_, first) => `/${parts.slice(first).join("/")}`).slice(1);
  const begin = `/${parts[0] ?? ""}/…`;
  // As many whole parts of the end as there is room for beside the first part, or the last one beside the start of the first.
  const beside = ends.find((end) => begin.length + end.length <= most);
  if (beside !== undefined) return begin + beside;
  const last = ends.at(-1) ?? "";
  const isRoom = last !== "" && most - last.length - 1 >= LEAST_HEAD;
  const head = isRoom ? most - last.length - 1 : Math.floor((most - 1) / 3);
  return `${whole(line, 0, head)}…${whole(line, line.length - (most - head - 1), line.length)}`;
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

/** What capture stores in a request beside what was sent: facts among the headers, bodies that are described. */
import type { RequestSnapshot } from "../../api/client";

/** Names that stand among the headers and are none. A header of such a name is stored with `header.` before it. */
const OWN_FIELDS = ["client_ip", "direction", "error", "http_version", "parent_span_id", "replay_of", "request_size", "response_size", "route", "span_id"];
const RENAMED = "header.";

export interface Header {
  name: string;
  value: unknown;
  /** The field by which the search filters, or null where it cannot. */
  field: string | null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The headers that were sent, and what capture noted beside them. */
export function readHeaders(headers: unknown, field: "headers" | "response_headers"): { headers: Header[]; facts: Record<string, unknown> } {
  const facts: Record<string, unknown> = {};
  const sent: Header[] = [];
  if (!isObject(headers)) return { headers: sent, facts };
  for (const [name, value] of Object.entries(headers)) {
    if (OWN_FIELDS.includes(name)) facts[name] = value;
    else sent.push({ name: name.startsWith(RENAMED) ? name.slice(RENAMED.length) : name, value, field: fieldOfKey(field, name) });
  }
  return { headers: sent, facts };
}

/** The field of a member of JSON, as the search names it; null for a name that the search cannot say. */
export function fieldOfKey(root: string, key: string): string | null {
  return /^[\w-]+$/.test(key) ? `${root}.${key}` : null;
}

/** A header by its name, as a text. */
export function header(headers: unknown, name: string): string | null {
  if (!isObject(headers)) return null;
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof found === "string" ? found : null;
}

export function isOutgoing(request: RequestSnapshot): boolean {
  return isObject(request.headers) && request.headers["direction"] === "outgoing";
}

export type Body =
  | { kind: "none"; why: string }
  | { kind: "json"; value: unknown; size: number | null }
  | { kind: "fields"; fields: Header[]; size: number | null }
  | { kind: "text"; text: string; type: string | null; size: number | null; isTruncated: boolean; note: string | null }
  | { kind: "bytes"; base64: string; type: string | null; size: number | null; isTruncated: boolean };

/** How a stored body is shown. */
export function readBody(body: unknown, headers: unknown, of: "request" | "response"): Body {
  const type = header(headers, "content-type");
  const size = sizeOf(headers, of);
  if (body === null || body === undefined) return { kind: "none", why: whyNone(headers, of, size) };
  if (isObject(body) && Object.keys(body).length === 1 && isObject(body["$body"])) return readDescribed(body["$body"]);
  if (typeof body === "string") return { kind: "text", text: body, type, size, isTruncated: false, note: null };
  if (isObject(body) && type?.startsWith("application/x-www-form-urlencoded") === true) {
    const root = of === "request" ? "body" : "response_body";
    return { kind: "fields", fields: Object.entries(body).map(([name, value]) => ({ name, value, field: fieldOfKey(root, name) })), size };
  }
  return { kind: "json", value: body, size };
}

function sizeOf(headers: unknown, of: "request" | "response"): number | null {
  const size = isObject(headers) ? headers[`${of}_size`] : undefined;
  return typeof size === "number" ? size : null;
}

function whyNone(headers: unknown, of: "request" | "response", size: number | null): string {
  if (size === 0 || (size === null && headers === null)) {
    const announced = Number(header(headers, "content-length") ?? 0);
    if (of === "request" && announced > 0) return `It was not captured: the application did not read it. The client announced ${announced} bytes.`;
    if (of === "response" && announced > 0) return `It was not captured: it was not read to its end. ${announced} bytes were announced.`;
    return "There was none.";
  }
  if (size !== null) return `It was not captured: ${size} bytes. Either the capture of bodies is off, or the application did not read it.`;
  return "There was none, or it was not captured.";
}

function readDescribed(body: Record<string, unknown>): Body {
  const type = typeof body["type"] === "string" ? body["type"] : null;
  const size = typeof body["size"] === "number" ? body["size"] : null;
  const isTruncated = body["truncated"] === true;
  const encoding = typeof body["encoding"] === "string" ? body["encoding"] : null;
  if (typeof body["text"] === "string") return { kind: "text", text: body["text"], type, size, isTruncated, note: isTruncated ? null : "It is not what its type says, so it was stored as text." };
  if (typeof body["base64"] === "string") return { kind: "bytes", base64: body["base64"], type, size, isTruncated };
  const much = size === null ? "" : `${size} bytes`;
  if (encoding !== null) return { kind: "none", why: `It was not captured: ${much} in the encoding ${encoding}, which capture does not know.` };
  if (type?.startsWith("text/event-stream") === true) return { kind: "none", why: `It was not captured: ${much} of an event stream.` };
  return { kind: "none", why: `It was not captured: ${much} of ${type ?? "an unknown type"}. Bodies that are not text are kept only if capture is asked to (binary_bodies).` };
}

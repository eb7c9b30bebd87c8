/** Sending a captured request again: what is asked of the server, and what it answers. */
import { call } from "../../../api/client";
import type { RequestSnapshot } from "../../../api/client";
import { isMasked, maskedIn } from "../masked";
import { header, readBody, readHeaders } from "../snapshot";

export interface Settings {
  target: string;
  /** Values for masked headers and parameters; an empty one is left out. */
  headers: Record<string, string>;
  query: Record<string, string>;
  /** A body in place of the captured one, or null. */
  body: string | null;
  /** Whether masked values of the body and the query are sent as the text `[masked]`. */
  sendMasked: boolean;
}

export interface Difference {
  place: string;
  kind: "added" | "removed" | "changed";
  captured?: unknown;
  replayed?: unknown;
}

export interface ReplayAnswer {
  result: "dry_run" | "not_sent" | "failed" | "same" | "different";
  target_is_allowed: boolean;
  reason?: string;
  request?: { method: string; url: string; headers: Record<string, string[]>; body: string };
  masked?: string[];
  trace_id?: string | null;
  curl?: string;
  status?: number;
  duration?: number | null;
  differences?: Difference[];
  more_differences?: number;
  not_compared?: string[];
  response?: { status: number; headers: Record<string, unknown>; body: unknown };
}

/** The places of a request whose values were never stored. */
export interface MaskedPlaces {
  headers: string[];
  query: string[];
  /** As the server names them: `$.card.number`. */
  body: string[];
}

export function maskedPlaces(record: RequestSnapshot): MaskedPlaces {
  const query = typeof record.query === "object" && record.query !== null ? Object.entries(record.query as Record<string, unknown>) : [];
  return {
    headers: readHeaders(record.headers, "headers")
      .headers.filter(({ value }) => isMasked(value))
      .map(({ name }) => name),
    query: query.filter(([, value]) => isMasked(value)).map(([name]) => name),
    body: maskedIn(record.body),
  };
}

/** The masked headers that a request goes without, as nobody filled them in. */
export function withheldHeaders({ headers }: MaskedPlaces, settings: Settings): string[] {
  return headers.filter((name) => (settings.headers[name] ?? "") === "");
}

/** The masked values of the query and the body for which nothing else was given: without consent the request is not sent. */
export function unfilled({ query, body }: MaskedPlaces, settings: Settings): string[] {
  return [...query.filter((name) => (settings.query[name] ?? "") === "").map((name) => `parameter ${name}`), ...(settings.body === null ? body.map((place) => (place === "$" ? "the body" : place.replace(/^\$\./, ""))) : [])];
}

/** Where a request went when it was captured, as far as it shows that: the likelier address first. */
export function capturedTargets(record: RequestSnapshot): string[] {
  const host = header(record.headers, "host");
  if (host === null) return [];
  const isSecure = header(record.headers, "x-forwarded-proto") === "https";
  return (isSecure ? ["https", "http"] : ["http", "https"]).map((scheme) => `${scheme}://${host}`).filter(isTarget);
}

/** The captured body as a text to change. */
export function bodyText(record: RequestSnapshot): string {
  const body = readBody(record.body, record.headers, "request");
  if (body.kind === "text") return body.text;
  if (body.kind === "none" || body.kind === "bytes") return "";
  if (body.kind === "fields") return new URLSearchParams(body.fields.flatMap(({ name, value }) => [value].flat().map((one): [string, string] => [name, String(one)]))).toString();
  return JSON.stringify(body.value, null, 2);
}

/** The methods that change nothing, which are sent without a question. */
export function isSafe(method: string): boolean {
  return ["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
}

/** Whether a text can be a target: the scheme, the host, maybe a port and a path. */
export function isTarget(text: string): boolean {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) && url.host !== "";
  } catch {
    return false;
  }
}

/** Shows the request as it would be sent (`isSent: false`), or sends it. */
export async function replay(record: RequestSnapshot, settings: Settings, masked: MaskedPlaces, ignore: string[], isSent: boolean, signal?: AbortSignal): Promise<ReplayAnswer> {
  const given = (values: Record<string, string>) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
  // A masked header without a value is left out, also where masked values are sent as they are.
  const withheld = Object.fromEntries(masked.headers.map((name) => [name, null]));
  const answer = await call<{ data: ReplayAnswer }>(`/requests/${record.id}/replay`, {
    method: "POST",
    body: {
      target: settings.target,
      dry_run: !isSent,
      // The preview shows what is asked about; whether it may be sent is asked before it is.
      unsafe_methods: true,
      send_masked: settings.sendMasked,
      headers: { ...withheld, ...given(settings.headers) },
      query: given(settings.query),
      ...(settings.body === null ? {} : { body: settings.body }),
      ignore,
    },
    ...(signal === undefined ? {} : { signal }),
  });
  return answer.data;
}

/** A reason of the server, without the names of parameters of its API. */
export function plainReason(reason: string): string {
  return reason.replace(/ \("[^)]*\)$/, "").replace(/^masked: /, "these values were masked: ");
}

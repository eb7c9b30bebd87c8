/** Calls of the API: JSON, problems as errors, the CSRF token of the session. */
import { noteAnswer, noteNoAnswer } from "./connection";
import type { components } from "./schema";

export type Schemas = components["schemas"];
export type Log = Schemas["Log"];
export type LogHit = Schemas["LogHit"];
export type RequestSnapshot = Schemas["RequestSnapshot"];
export type Metric = Schemas["Metric"];
export type User = Schemas["User"];
export type ApiKey = Schemas["ApiKey"];
export type AlertRule = Schemas["AlertRule"];
export type AlertChange = Schemas["AlertChange"];
export type PageMetadata = Schemas["PageMetadata"];

/** Parameters of a call; a name may come several times. */
export type Parameters = Record<string, string | number | boolean | undefined> | [string, string][];

export interface Answer<T, M = PageMetadata> {
  data: T;
  metadata: M;
}

/** An error of the API (RFC 9457), or of the way to it. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    /** The status, or 0 without an answer. */
    readonly status: number,
    /** The last part of the `type`, such as `invalid-query`. */
    readonly kind: string,
    readonly detail: string,
    /** The fields that are wrong. */
    readonly fields: Schemas["WrongField"][] = [],
    /** Seconds to wait, where the server says so. */
    readonly retryAfter?: number,
  ) {
    super(detail);
  }

  /** Whether the same call may succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 503 || this.status === 504;
  }
}

let csrfToken = "";

/** Sets the token that changes need. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

let onLoggedOut: () => void = () => undefined;

/** Calls `listener` when an answer says that nobody is logged in any more. */
export function listenForLogOut(listener: () => void): void {
  onLoggedOut = listener;
}

/** The address of a call. */
export function address(path: string, parameters: Parameters = {}): string {
  const pairs = Array.isArray(parameters)
    ? parameters
    : Object.entries(parameters).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]]));
  const query = new URLSearchParams(pairs).toString();
  return `/api/v1${path}${query === "" ? "" : `?${query}`}`;
}

/**
 * The address of an export of a list. CSV that is downloaded by hand is opened in a spreadsheet, where
 * a text of a stranger may be a formula.
 */
export function exportAddress(path: string, parameters: [string, string][], format: string): string {
  const kept = parameters.filter(([name]) => name !== "hits");
  return address(`${path}/export`, [...kept, ["format", format], ...(format === "csv" ? [["for_spreadsheets", "true"] as [string, string]] : [])]);
}

interface Call {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  parameters?: Parameters;
  body?: unknown;
  signal?: AbortSignal;
}

/** Calls the API, and returns its whole answer. */
export async function call<T>(path: string, options: Call = {}): Promise<T> {
  try {
    return await callOnce<T>(path, options);
  } catch (error) {
    // Another tab has logged in since: the session is another one, and so is its token.
    const isOld = error instanceof ApiError && error.kind === "cross-site" && path !== "/session" && (await renewToken());
    if (!isOld) throw error;
    return callOnce<T>(path, options);
  }
}

/** Reads the token of the session that the browser has now, and returns whether it is another one. */
async function renewToken(): Promise<boolean> {
  const before = csrfToken;
  const { data } = await callOnce<{ data: { csrf_token: string | null } }>("/session");
  csrfToken = data.csrf_token ?? "";
  return csrfToken !== before;
}

async function callOnce<T>(path: string, { method = "GET", parameters = {}, body, signal }: Call = {}): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (method !== "GET") headers["x-csrf-token"] = csrfToken;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(address(path, parameters), {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    noteNoAnswer();
    throw new ApiError(0, "no-answer", "The server does not answer.");
  }
  noteAnswer(response);
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  throw await problem(response, path);
}

async function problem(response: Response, path: string): Promise<ApiError> {
  const retryAfter = Number(response.headers.get("retry-after") ?? NaN);
  const after = Number.isFinite(retryAfter) ? retryAfter : undefined;
  try {
    const { type, detail, title, errors } = (await response.json()) as Partial<Schemas["Problem"]>;
    const kind = /([a-z-]+)\.md$/.exec(type ?? "")?.[1] ?? "unknown";
    if (kind === "not-authenticated" && path !== "/session") onLoggedOut();
    return new ApiError(response.status, kind, detail ?? title ?? response.statusText, errors ?? [], after);
  } catch {
    return new ApiError(response.status, "unknown", `The server answered ${response.status} ${response.statusText}.`, [], after);
  }
}

/** Reads a list. */
export async function list<T>(path: string, parameters: Parameters, signal?: AbortSignal): Promise<Answer<T[]>> {
  return call<Answer<T[]>>(path, { parameters, ...(signal === undefined ? {} : { signal }) });
}

/** Reads what an answer has as `data`. */
export async function read<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  const answer = await call<{ data: T }>(path, { parameters, ...(signal === undefined ? {} : { signal }) });
  return answer.data;
}

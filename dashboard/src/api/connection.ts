/** Whether the server answers, as the calls of the page tell. */

export interface Connection {
  isLost: boolean;
  /** How many times it was tried to reach the server since the connection was lost. */
  retries: number;
}

const FOUND: Connection = { isLost: false, retries: 0 };
let connection = FOUND;
const listeners = new Set<() => void>();

function set(next: Connection): void {
  if (next === connection) return;
  connection = next;
  listeners.forEach((listener) => listener());
}

/** The state of the connection, and a way to hear of its changes, for `useSyncExternalStore`. */
export function currentConnection(): Connection {
  return connection;
}
export function subscribeToConnection(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** Notes an answer. One of a proxy that does not reach the server is none: errors of the server are JSON. */
export function noteAnswer(response: Response): void {
  const isOfProxy = response.status >= 500 && !(response.headers.get("content-type") ?? "").includes("json");
  if (isOfProxy) noteNoAnswer();
  else set(FOUND);
}

/** Notes that a call had no answer. */
export function noteNoAnswer(): void {
  if (!connection.isLost) set({ isLost: true, retries: 0 });
}

/** How long to wait before the next attempt, in milliseconds: from 1 s, up to 15 s. */
export function waitBefore(retry: number): number {
  return Math.min(1000 * 2 ** retry, 15_000);
}

/** Asks whether the server lives. Returns whether it does. */
export async function retryConnection(signal: AbortSignal): Promise<boolean> {
  set({ isLost: true, retries: connection.retries + 1 });
  try {
    const response = await fetch("/health/live", { signal, cache: "no-store" });
    if (!response.ok) return false;
    set(FOUND);
    return true;
  } catch {
    return false;
  }
}

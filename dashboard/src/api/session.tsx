/** Who is logged in. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { QueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect } from "react";
import { keepDraft } from "../query/draft";
import { ApiError, call, setCsrfToken } from "./client";

export interface Session {
  user: { id: number; email: string; role: "admin" | "user" } | null;
  csrf_token: string | null;
  expires_at: string | null;
  must_change_password: boolean;
  /** Whether the server asks nobody to log in (`lookback serve --open`). */
  is_open: boolean;
  /** Whether it has ended while the page was used: the page stays as it is, behind a log-in. */
  isOver?: boolean;
  /** Whether the user asked to be logged out, and the server could not be reached: the session goes on. */
  isNotOut?: boolean;
}

const KEY = ["session"];

async function readSession(): Promise<Session | null> {
  try {
    return keep((await call<{ data: Session }>("/session")).data);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

function keep(session: Session): Session {
  setCsrfToken(session.csrf_token ?? "");
  return session;
}

/** Tells other tabs of the browser that somebody has logged in or out: they have the same cookie. */
const tabs = new BroadcastChannel("lookback.session");
type Told = "logged in" | "logged out";

/** Keeps the session that of the browser: of what other tabs did, and of when this one was left and came back. */
export function useSessionOfBrowser(): void {
  const client = useQueryClient();
  useEffect(() => {
    const hear = ({ data }: MessageEvent<Told>) => {
      if (data === "logged out") {
        forget(client);
        return;
      }
      const before = client.getQueryData<Session | null>(KEY)?.user?.id;
      void client.refetchQueries({ queryKey: KEY }).then(() => {
        if (client.getQueryData<Session | null>(KEY)?.user?.id !== before) dropViews(client);
      });
    };
    // Browsers keep pages as they were and show them on the way back, though somebody has logged out since.
    const show = ({ persisted }: PageTransitionEvent) => {
      if (persisted) void client.resetQueries({ queryKey: KEY });
    };
    tabs.addEventListener("message", hear);
    addEventListener("pageshow", show);
    return () => {
      tabs.removeEventListener("message", hear);
      removeEventListener("pageshow", show);
    };
  }, [client]);
}

/** Shows nothing more of what a user saw. */
function forget(client: QueryClient): void {
  client.setQueryData(KEY, null);
  dropViews(client);
}

function dropViews(client: QueryClient): void {
  client.removeQueries({ predicate: isOfViews });
  keepDraft(null);
}

/** The session: undefined while it is read, null if nobody is logged in. */
export function useSessionQuery() {
  return useQuery({ queryKey: KEY, queryFn: readSession, staleTime: Infinity });
}

export function useLogIn() {
  const client = useQueryClient();
  return async (email: string, password: string): Promise<void> => {
    const answer = await call<{ data: Session }>("/session", { method: "POST", body: { email, password } });
    const before = client.getQueryData<Session | null>(KEY);
    // Another user may see less: nothing of the one before stays.
    if (before?.user?.id !== answer.data.user?.id) dropViews(client);
    client.setQueryData(KEY, keep(answer.data));
    tabs.postMessage("logged in" satisfies Told);
    // What failed without a session is asked for again.
    void client.invalidateQueries({ predicate: isOfViews });
  };
}

function isOfViews({ queryKey }: { queryKey: readonly unknown[] }): boolean {
  return queryKey[0] !== KEY[0];
}

export function useChangePassword() {
  const client = useQueryClient();
  return async (current: string, password: string): Promise<void> => {
    const answer = await call<{ data: Session }>("/session/password", { method: "POST", body: { current, new: password } });
    client.setQueryData(KEY, keep(answer.data));
  };
}

/** Ends the session, or says why it goes on. */
export function useEndSession() {
  const client = useQueryClient();
  return useCallback(async (): Promise<void> => {
    try {
      await call("/session", { method: "DELETE" });
    } catch (error) {
      // A session that has ended is what was asked for.
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
    }
    forget(client);
    tabs.postMessage("logged out" satisfies Told);
  }, [client]);
}

/** Signs the user out. If that fails, the page says so and offers it again. */
export function useLogOut() {
  const client = useQueryClient();
  const end = useEndSession();
  return useCallback(async (): Promise<void> => {
    try {
      await end();
    } catch {
      client.setQueryData<Session | null>(KEY, (session) => (session ? { ...session, isNotOut: true } : null));
    }
  }, [client, end]);
}

/** Takes the word back that the session goes on. */
export function useStay() {
  const client = useQueryClient();
  return useCallback(() => {
    client.setQueryData<Session | null>(KEY, (session) => (session ? { ...session, isNotOut: false } : null));
  }, [client]);
}

/** Notes that the session has ended on the server. What is shown stays, and what was typed. */
export function useSessionEnd() {
  const client = useQueryClient();
  return useCallback(() => {
    client.setQueryData<Session | null>(KEY, (session) => (session ? { ...session, isOver: true } : null));
  }, [client]);
}

const SessionContext = createContext<Session | null>(null);
export const SessionProvider = SessionContext.Provider;

/** The session of the views, all of which need one. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("no session");
  return session;
}

/** Whether the user may change things. */
export function useIsAdmin(): boolean {
  const session = useSession();
  return session.is_open || session.user?.role === "admin";
}

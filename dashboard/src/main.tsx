import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { lazy, StrictMode, Suspense, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { ApiError, listenForLogOut } from "./api/client";
import { SessionProvider, useSessionEnd, useSessionOfBrowser, useSessionQuery } from "./api/session";
import { KeysProvider } from "./frame/keys";
import { Failure, Loading } from "./parts/State";
import { router } from "./router";
import { NotLoggedOut, LogIn, LogInAgain } from "./views/log-in/LogIn";
import "./style/base.css";

/** Few need it, so it is loaded by those. */
const FirstPassword = lazy(async () => ({ default: (await import("./views/log-in/Account")).FirstPassword }));

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // Nothing moves that was not asked to.
      refetchOnWindowFocus: false,
      staleTime: 30_000,
      retry: (times, error) => times < 2 && error instanceof ApiError && error.isPassing,
      retryDelay: (times, error) => (error instanceof ApiError && error.retryAfter !== undefined ? error.retryAfter * 1000 : 500 * 2 ** times),
    },
  },
});

/** The page of who is logged in, or the way to log in. */
function Page() {
  const session = useSessionQuery();
  const end = useSessionEnd();
  useSessionOfBrowser();
  useEffect(() => listenForLogOut(end), [end]);
  if (session.isPending) return <Loading what="the server" />;
  if (session.isError) return <Failure error={session.error} what="The page" onRetry={() => void session.refetch()} />;
  if (session.data === null) return <LogIn />;
  if (session.data.must_change_password) {
    return (
      <Suspense fallback={<Loading what="the page" />}>
        <FirstPassword />
      </Suspense>
    );
  }
  return (
    <SessionProvider value={session.data}>
      {/* A page of another user is another page. */}
      <RouterProvider key={session.data.user?.id} router={router} />
      {session.data.isNotOut && <NotLoggedOut />}
      {session.data.isOver && <LogInAgain email={session.data.user?.email ?? ""} />}
    </SessionProvider>
  );
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <KeysProvider>
          <Page />
        </KeysProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}

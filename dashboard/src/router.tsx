/** The views and their paths. Each view is a file of its own, loaded when it is first shown. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { formatParams, parseParams } from "./frame/address";
import { Frame } from "./frame/Frame";
import { WindowProvider } from "./frame/window";
import { Empty, Failure } from "./parts/State";

const root = createRootRoute({
  component: () => (
    <WindowProvider>
      <Frame />
    </WindowProvider>
  ),
  notFoundComponent: () => <Empty title="There is no such view." />,
});

function route(path: string, component: ReturnType<typeof lazyRouteComponent>) {
  return createRoute({ getParentRoute: () => root, path, component });
}

const tree = root.addChildren([
  route("/", lazyRouteComponent(() => import("./views/overview/Overview"), "Overview")),
  route("/logs", lazyRouteComponent(() => import("./views/logs/Logs"), "Logs")),
  route("/requests", lazyRouteComponent(() => import("./views/requests/Requests"), "Requests")),
  route("/metrics", lazyRouteComponent(() => import("./views/metrics/Metrics"), "Metrics")),
  route("/users", lazyRouteComponent(() => import("./views/users/Users"), "Users")),
  route("/keys", lazyRouteComponent(() => import("./views/keys/Keys"), "Keys")),
  route("/alerts", lazyRouteComponent(() => import("./views/alerts/Alerts"), "Alerts")),
  route("/storage", lazyRouteComponent(() => import("./views/storage/Storage"), "Storage")),
  route("/start", lazyRouteComponent(() => import("./views/first-run/FirstRun"), "FirstRun")),
  createRoute({ getParentRoute: () => root, path: "/account", component: lazyRouteComponent(() => import("./views/log-in/Account"), "Account") }),
]);

export const router = createRouter({
  routeTree: tree,
  basepath: "/ui",
  parseSearch: (text) => parseParams(text),
  stringifySearch: (params) => formatParams(params),
  // Lists find their own place (parts/scrollPlaces.ts): the router would scroll one that was at its top to where the one before was.
  scrollRestoration: ({ location }) => location.pathname !== "/logs" && location.pathname !== "/requests",
  // What is around a view that fails stays.
  defaultErrorComponent: ({ error, reset }) => <Failure error={error} what="The view" onRetry={reset} />,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

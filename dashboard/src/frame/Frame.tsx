/** What is around every view: the views, the search, the range, who is logged in. */
import { Link, Outlet, useLocation, useNavigate, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useIsAdmin } from "../api/session";
import { Menu } from "../parts/Menu";
import { useIsNarrow } from "../parts/useIsNarrow";
import { shortLine } from "../parts/text";
import { useSaid } from "../parts/useSaid";
import { useScrollHint } from "../parts/useScrollHint";
import { Account } from "./Account";
import { sharedParams, useParams } from "./address";
import type { Params } from "./address";
import { useKeys } from "./keys";
import { Keys, KeysHelp } from "./KeysHelp";
import { MoreViews, useMoreViews } from "./MoreViews";
import { Palette } from "./Palette";
import { RangeBar } from "./RangeBar";
import { RangeNote } from "./RangeNote";
import { SearchBox } from "./SearchBox";
import { SearchNotes } from "./SearchNotes";
import { StateLine } from "./StateLine";
import { titleOf } from "./title";
import { VIEWS } from "./views";
import { useWindow } from "./window";
import styles from "./Frame.module.css";

/** Few need them, so they are loaded by those. */
const SaveSearch = lazy(async () => ({ default: (await import("./SavedDialogs")).SaveSearch }));
const ManageSearches = lazy(async () => ({ default: (await import("./SavedDialogs")).ManageSearches }));

/** How long a word of what was done stays. */
const SAID_MS = 5000;

/** Keys that a chart takes by itself while it has the focus. */
const IN_CHART = "In a chart (Tab goes to it)";

export function Frame() {
  const isAdmin = useIsAdmin();
  const isNarrow = useIsNarrow();
  const more = useMoreViews(isAdmin);
  const params = useParams();
  const shared = sharedParams(params);
  const path = useLocation({ select: (location) => location.pathname });
  const view = VIEWS.find((one) => one.path === path);
  const navigate = useNavigate();
  const { refresh, isLive, setLive } = useWindow();
  const [front, setFront] = useState<"palette" | "keys" | "save" | "saved" | null>(null);
  const [said, say] = useSaid(SAID_MS);
  const views = VIEWS.filter((one) => isAdmin || !one.isForAdmins);
  const hasRange = view?.hasRange === true;
  useKeys([
    { keys: "mod+k", name: "Find anything", group: "Everywhere", run: () => setFront("palette"), inInputs: true },
    { keys: "?", name: "List of keys", group: "Everywhere", run: () => setFront("keys") },
    ...(hasRange
      ? [
          { keys: "r", name: "Refresh", group: "Range", run: refresh },
          { keys: "l", name: "Live", group: "Range", run: () => setLive(!isLive) },
          { keys: "ArrowRight", name: "Next bar or point", group: IN_CHART },
          { keys: "ArrowLeft", name: "Previous bar or point", group: IN_CHART },
          { keys: "shift+ArrowRight", name: "Choose a part", group: IN_CHART },
          { keys: "Enter", name: "Zoom to the part", group: IN_CHART },
          { keys: "Escape", name: "Leave the chart", group: IN_CHART },
        ]
      : []),
    ...views.flatMap((one) =>
      one.key === undefined ? [] : [{ keys: `g ${one.key}`, name: one.name, group: "Go to", run: () => void navigate({ to: one.path, search: shared }) }],
    ),
  ]);
  const main = useFocusOnNavigation(useShownView());
  const bar = useScrollHint<HTMLDivElement>();
  useEffect(() => {
    bar.current?.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [bar, path]);
  useEffect(() => {
    document.title = titleOf(path, params);
  }, [params, path]);
  return (
    <div className={styles.frame}>
      <a
        className={styles.skip}
        href="#view"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        To the content
      </a>
      <div className={styles.head}>
        <header className={styles.top}>
          <span className={styles.name}>Lookback</span>
          <nav aria-label="Views" className={styles.nav}>
            <div ref={bar} className={styles.views}>
              {VIEWS.filter((one) => one.place === "top" || (!isNarrow && one.place === "wide")).map((one) => (
                <Link key={one.path} to={one.path} search={shared as never} aria-current={one.path === path ? "page" : undefined}>
                  {one.name}
                </Link>
              ))}
            </div>
            {!isNarrow && (
              <Menu label="More ▾" name="More views" hasCurrent={more.hasCurrent}>
                <MoreViews views={more.views} />
              </Menu>
            )}
          </nav>
          {view?.model ? <SearchBox model={view.model} isOfAll={view.isOfAll === true} /> : <span className={styles.gap} />}
          <button type="button" className={`plain ${styles.everything ?? ""}`} onClick={() => setFront("palette")} title="Views, searches, endpoints and actions">
            <span className="hidden-label">Find anything</span>
            <Keys keys="mod+k" />
          </button>
          <div className={styles.account}>
            <Account isAdmin={isAdmin} onFind={() => setFront("palette")} onKeys={() => setFront("keys")} />
          </div>
        </header>
        {hasRange && <RangeBar compares={view.compares === true} path={path} onSave={() => setFront("save")} onManage={() => setFront("saved")} />}
      </div>
      {hasRange && <RangeNote />}
      {view?.model && <SearchNotes model={view.model} isOfAll={view.isOfAll === true} />}
      <main ref={main} id="view" className={styles.view} tabIndex={-1}>
        <Outlet />
      </main>
      <p role="status" className={said === "" ? "hidden-label" : styles.said}>
        <bdi>{said}</bdi>
      </p>
      <StateLine />
      {front === "palette" && <Palette hasRange={hasRange} onClose={() => setFront(null)} onKeys={() => setFront("keys")} onSave={() => setFront("save")} onManage={() => setFront("saved")} />}
      {front === "keys" && <KeysHelp onClose={() => setFront(null)} />}
      <Suspense>
        {front === "save" && <SaveSearch path={path} params={params} onSaved={(name) => say(`Saved as “${shortLine(name, 60)}”: it is under Saved.`)} onClose={() => setFront(null)} />}
        {front === "saved" && <ManageSearches onClose={() => setFront(null)} />}
      </Suspense>
    </div>
  );
}

/** The view that is drawn, which the address has before it is loaded; one endpoint in large is a view of its own. */
function useShownView(): string {
  return useRouterState({
    select: ({ location, resolvedLocation = location }) => `${resolvedLocation.pathname} ${(resolvedLocation.search as Params)["endpoint"] ?? ""}`,
  });
}

/** Moves the focus to the heading of a view when it is shown, so that its words and its keys come next. */
function useFocusOnNavigation(shown: string) {
  const main = useRef<HTMLElement>(null);
  const before = useRef(shown);
  useEffect(() => {
    const place = main.current;
    if (before.current === shown || !place) return;
    before.current = shown;
    place.focus({ preventScroll: true });
    const toHeading = (): boolean => {
      const heading = place.querySelector("h1");
      if (!heading || document.activeElement !== place) return false;
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
      return true;
    };
    if (toHeading()) return;
    // The view may have to be loaded first. If the focus goes elsewhere meanwhile, it stays there.
    const watcher = new MutationObserver(() => {
      if (toHeading()) watcher.disconnect();
    });
    watcher.observe(place, { childList: true, subtree: true });
    return () => watcher.disconnect();
  }, [shown]);
  return main;
}

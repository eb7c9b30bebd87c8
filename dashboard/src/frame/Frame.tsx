/** What is around every view: the views, the search, the range, who is signed in. */
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useState } from "react";
import { useIsAdmin } from "../api/session";
import { Account } from "./Account";
import { sharedParams, useParams } from "./address";
import { useKeys } from "./keys";
import { KeysHelp } from "./KeysHelp";
import { Palette } from "./Palette";
import { RangePicker } from "./RangePicker";
import { SearchBox } from "./SearchBox";
import { StateLine } from "./StateLine";
import { VIEWS } from "./views";
import { useWindow } from "./window";
import styles from "./Frame.module.css";

export function Frame() {
  const isAdmin = useIsAdmin();
  const shared = sharedParams(useParams());
  const path = useLocation({ select: (location) => location.pathname });
  const view = VIEWS.find((one) => one.path === path) ?? VIEWS[0];
  const { refresh, isLive, setLive } = useWindow();
  const [front, setFront] = useState<"palette" | "keys" | null>(null);
  useKeys([
    { keys: "mod+k", name: "Everything", run: () => setFront("palette"), inInputs: true },
    { keys: "?", name: "Keys", run: () => setFront("keys") },
    { keys: "r", name: "Look again", run: refresh },
    { keys: "l", name: "Live", run: () => setLive(!isLive) },
  ]);
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#view">
        To the content
      </a>
      <header className={styles.top}>
        <span className={styles.name}>Lookback</span>
        <nav aria-label="Views" className={styles.views}>
          {VIEWS.filter((one) => one.place === "top").map((one) => (
            <Link key={one.path} to={one.path} search={shared as never} aria-current={one.path === path ? "page" : undefined}>
              {one.name}
            </Link>
          ))}
        </nav>
        {view?.model && <SearchBox model={view.model} />}
        <button type="button" className="plain" onClick={() => setFront("palette")} title="Views, searches and actions">
          <kbd>{/Mac/.test(navigator.userAgent) ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        <Account isAdmin={isAdmin} />
      </header>
      {view?.hasRange && (
        <div className={styles.range}>
          <RangePicker />
          <button type="button" aria-pressed={isLive} onClick={() => setLive(!isLive)} title="Asks again by itself (l)">
            Live {isLive ? "●" : "○"}
          </button>
          <button type="button" onClick={refresh} title="Asks again (r)">
            Look again
          </button>
        </div>
      )}
      <main id="view" className={styles.view} tabIndex={-1}>
        <Outlet />
      </main>
      <StateLine />
      {front === "palette" && <Palette onClose={() => setFront(null)} />}
      {front === "keys" && <KeysHelp onClose={() => setFront(null)} />}
    </div>
  );
}

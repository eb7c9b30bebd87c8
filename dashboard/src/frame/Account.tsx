/** Who is logged in, the theme, the keys, and the way out. On a telephone, it is “More”, with the views that have no room in the bar. */
import { Link } from "@tanstack/react-router";
import { useSession, useLogOut } from "../api/session";
import { Menu } from "../parts/Menu";
import { useIsNarrow } from "../parts/useIsNarrow";
import { sharedParams, useParams } from "./address";
import { MoreViews, useMoreViews } from "./MoreViews";
import { useTheme } from "./theme";
import styles from "./Frame.module.css";

export function Account({ isAdmin, onFind, onKeys }: { isAdmin: boolean; onFind: () => void; onKeys: () => void }) {
  const session = useSession();
  const logOut = useLogOut();
  const [theme, setTheme] = useTheme();
  const shared = sharedParams(useParams());
  const name = session.user?.email.split("@")[0] ?? "no log-in";
  const isNarrow = useIsNarrow();
  const more = useMoreViews(isAdmin);
  const label = isNarrow ? (
    <>
      More <span aria-hidden>▾</span>
    </>
  ) : (
    <>
      <bdi className={styles.user}>{name.length > 16 ? `${name.slice(0, 15)}…` : name}</bdi> <span aria-hidden>▾</span>
    </>
  );
  return (
    <Menu label={label} title={session.user?.email ?? "This server asks nobody to log in"} hasCurrent={isNarrow && more.hasCurrent}>
      {isNarrow && <MoreViews views={more.views} />}
      {/* A telephone has no keys for it. */}
      <button type="button" role="menuitem" className="plain" onClick={onFind}>
        Find anything
      </button>
      <button type="button" role="menuitem" className="plain" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>
        {theme === "dark" ? "Light theme" : "Dark theme"}
      </button>
      <button type="button" role="menuitem" className="plain" onClick={onKeys}>
        Keyboard
      </button>
      {session.user && (
        <>
          <Link to="/account" search={shared} role="menuitem">
            Account{isNarrow && ` (${name})`}
          </Link>
          <button type="button" role="menuitem" className="plain" onClick={() => void logOut()}>
            Log out
          </button>
        </>
      )}
    </Menu>
  );
}

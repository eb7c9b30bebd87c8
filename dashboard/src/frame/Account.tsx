/** Who is logged in, the views that are not in the bar, the theme, the keys, and the way out. */
import { Link } from "@tanstack/react-router";
import { useSession, useLogOut } from "../api/session";
import { Menu } from "../parts/Menu";
import { sharedParams, useParams } from "./address";
import { useTheme } from "./theme";
import { VIEWS } from "./views";
import styles from "./Frame.module.css";

export function Account({ isAdmin, onFind, onKeys }: { isAdmin: boolean; onFind: () => void; onKeys: () => void }) {
  const session = useSession();
  const logOut = useLogOut();
  const [theme, setTheme] = useTheme();
  const shared = sharedParams(useParams());
  const name = session.user?.email.split("@")[0] ?? "no log-in";
  const label = (
    <>
      <bdi className={styles.user}>{name.length > 16 ? `${name.slice(0, 15)}…` : name}</bdi> <span aria-hidden>▾</span>
    </>
  );
  return (
    <Menu label={label} title={session.user?.email ?? "This server asks nobody to log in"}>
      {VIEWS.filter((one) => one.place === "menu" && (isAdmin || !one.isForAdmins)).map((one) => (
        <Link key={one.path} to={one.path} search={shared as never} role="menuitem">
          {one.name}
        </Link>
      ))}
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
            Account
          </Link>
          <button type="button" role="menuitem" className="plain" onClick={() => void logOut()}>
            Log out
          </button>
        </>
      )}
    </Menu>
  );
}

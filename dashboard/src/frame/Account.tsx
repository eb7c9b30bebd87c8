/** Who is signed in, the views that are not in the bar, the theme, and the way out. */
import { Link } from "@tanstack/react-router";
import { useSession, useSignOut } from "../api/session";
import { Menu } from "../parts/Menu";
import { useTheme } from "./theme";
import { VIEWS } from "./views";

export function Account({ isAdmin }: { isAdmin: boolean }) {
  const session = useSession();
  const signOut = useSignOut();
  const [theme, setTheme] = useTheme();
  const name = session.user?.email.split("@")[0] ?? "open";
  return (
    <Menu label={`${name} ▾`} title={session.user?.email ?? "This server asks nobody to sign in"}>
      {VIEWS.filter((one) => one.place === "menu" && (isAdmin || !one.isForAdmins)).map((one) => (
        <Link key={one.path} to={one.path} role="menuitem">
          {one.name}
        </Link>
      ))}
      <button type="button" role="menuitem" className="plain" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>
        {theme === "dark" ? "Light" : "Dark"}
      </button>
      {session.user && (
        <>
          <Link to="/account" role="menuitem">
            Change password
          </Link>
          <button type="button" role="menuitem" className="plain" onClick={() => void signOut()}>
            Sign out
          </button>
        </>
      )}
    </Menu>
  );
}

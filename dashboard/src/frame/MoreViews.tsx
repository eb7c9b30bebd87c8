/** The views that are not in the bar, as parts of a menu. */
import { Link, useLocation } from "@tanstack/react-router";
import { useIsNarrow } from "../parts/useIsNarrow";
import { sharedParams, useParams } from "./address";
import { VIEWS } from "./views";
import type { View } from "./views";

/** The views behind “More”, and whether one of them is shown. */
export function useMoreViews(isAdmin: boolean): { views: View[]; hasCurrent: boolean } {
  const isNarrow = useIsNarrow();
  const path = useLocation({ select: (location) => location.pathname });
  const views = VIEWS.filter((one) => (one.place === "more" || (isNarrow && one.place === "wide")) && (isAdmin || !one.isForAdmins));
  return { views, hasCurrent: views.some((one) => one.path === path) };
}

export function MoreViews({ views }: { views: View[] }) {
  const shared = sharedParams(useParams());
  const path = useLocation({ select: (location) => location.pathname });
  return views.map((one) => (
    <Link key={one.path} to={one.path} search={shared as never} role="menuitem" aria-current={one.path === path ? "page" : undefined}>
      {one.name}
    </Link>
  ));
}

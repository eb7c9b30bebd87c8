/** Says why a view of admins is not there for others. */
import type { ReactNode } from "react";
import { useIsAdmin, useSession } from "../api/session";
import { Name } from "./Name";
import { Empty } from "./State";
import { ViewHead } from "./ViewHead";

export function AdminsOnly({ title, what, children }: { title: string; what: string; children: ReactNode }) {
  const isAdmin = useIsAdmin();
  const { user } = useSession();
  if (isAdmin) return children;
  return (
    <>
      <ViewHead title={title} />
      <Empty title={`Only admins see ${what}.`}>
        <p>
          You are logged in as <Name text={user?.email ?? ""} />, who may read records. An admin can make you one, too, at Users.
        </p>
      </Empty>
    </>
  );
}

/** The users: who may log in, and what for. */
import { useState } from "react";
import { withoutCodes } from "../../parts/text";
import type { User } from "../../api/client";
import { usePages } from "../../api/pages";
import { useSession } from "../../api/session";
import { useParam } from "../../frame/address";
import { AdminsOnly } from "../../parts/AdminsOnly";
import { Menu } from "../../parts/Menu";
import { More } from "../../parts/More";
import { Name } from "../../parts/Name";
import { FindBox, Switch } from "../../parts/Tools";
import { Day } from "../../parts/Show";
import { Empty, Failure, Loading } from "../../parts/State";
import { OpenNote } from "../../parts/OpenNote";
import { Table } from "../../parts/Table";
import { useRowFocus } from "../../parts/useRowFocus";
import type { Column } from "../../parts/Table";
import { ViewHead } from "../../parts/ViewHead";
import { useRestoreUser } from "./changes";
import { DeleteUser, EditUser, NewUser, ResetPassword } from "./UserDialogs";

export function Users() {
  return (
    <AdminsOnly title="Users" what="the users">
      <AllUsers />
    </AdminsOnly>
  );
}

/** What is done to a user, in a dialog. */
type Doing = { what: "edit" | "reset" | "delete"; user: User };

function AllUsers() {
  const { user: self } = useSession();
  const [find] = useParam("find");
  const [deleted, setDeleted] = useParam("deleted");
  const [sort, setSort] = useParam("sort", "email");
  const [dialog, setDialog] = useParam("do");
  const [doing, setDoing] = useState<Doing | null>(null);
  const view = useRowFocus<HTMLDivElement>();
  const parameters = { ...(find === "" ? {} : { email__icontains: find }), order_by: `${sort},id`, limit: 100 };
  const users = usePages<User>("/users", parameters);
  const columns: Column<User>[] = [
    ...COLUMNS,
    {
      name: "actions",
      label: "Actions",
      isLabelHidden: true,
      isNarrow: true,
      cell: (user) => (
        <Menu label="⋯" name={`What to do with ${withoutCodes(user.email)}`}>
          <button type="button" role="menuitem" className="plain" onClick={() => setDoing({ what: "edit", user })}>
            Change …
          </button>
          <button type="button" role="menuitem" className="plain" onClick={() => setDoing({ what: "reset", user })}>
            Reset the password …
          </button>
          <button type="button" role="menuitem" className="plain" onClick={() => setDoing({ what: "delete", user })}>
            Delete …
          </button>
        </Menu>
      ),
    },
  ];
  const close = () => setDoing(null);
  const isSelf = doing?.user.id === self?.id;
  return (
    <div ref={view}>
      <ViewHead title="Users">
        <FindBox label="Find an e-mail" />
        <Switch isOn={deleted === "with"} onChange={(isOn) => setDeleted(isOn ? "with" : "")}>
          Show deleted users, too
        </Switch>
        <button type="button" className="primary" onClick={() => setDialog("new")}>
          Add a user
        </button>
      </ViewHead>
      <OpenNote>No user is needed now. Users that you add can log in as soon as the server requires it.</OpenNote>
      {users.query.isPending && <Loading what="the users" />}
      {users.query.isError && <Failure error={users.query.error} what="The users" onRetry={() => void users.query.refetch()} />}
      {users.query.isSuccess &&
        users.rows.length === 0 &&
        (find === "" ? (
          <Empty title="There is no user yet.">
            <p>Users log in with their e-mail and a password.</p>
          </Empty>
        ) : (
          <Empty title="No user has such an e-mail.">
            <p>Take a part of the search away.</p>
          </Empty>
        ))}
      {users.rows.length > 0 && <Table label="Users" columns={columns} rows={users.rows} idOf={(user) => user.id} sort={sort} onSort={setSort} isOld={users.isOld} onOpen={(user) => setDoing({ what: "edit", user })} />}
      <More query={users.query} />
      {deleted === "with" && <DeletedUsers parameters={parameters} />}
      {dialog === "new" && <NewUser onClose={() => setDialog("")} />}
      {doing?.what === "edit" && <EditUser user={doing.user} isSelf={isSelf} onClose={close} />}
      {doing?.what === "reset" && <ResetPassword user={doing.user} isSelf={isSelf} onClose={close} />}
      {doing?.what === "delete" && <DeleteUser user={doing.user} isSelf={isSelf} onClose={close} />}
    </div>
  );
}

const COLUMNS: Column<User>[] = [
  { name: "email", label: "E-mail", isSorted: true, cell: (user) => <Name text={user.email} /> },
  { name: "role", label: "Role", isSorted: true, cell: (user) => user.role },
  { name: "created_at", label: "Created", isSorted: true, cell: (user) => <Day at={user.created_at} /> },
  { name: "updated_at", label: "Changed", isSorted: true, cell: (user) => <Day at={user.updated_at} /> },
];

function DeletedUsers({ parameters }: { parameters: Record<string, string | number> }) {
  const users = usePages<User>("/users", { ...parameters, deleted: "only" });
  const restore = useRestoreUser();
  const columns: Column<User>[] = [
    ...COLUMNS.slice(0, 3),
    {
      name: "actions",
      label: "Actions",
      isLabelHidden: true,
      isNarrow: true,
      cell: (user) => (
        <button type="button" aria-label={`Restore ${withoutCodes(user.email)}`} disabled={restore.isPending} onClick={() => restore.mutate(user)}>
          Restore
        </button>
      ),
    },
  ];
  return (
    <section aria-label="Deleted users">
      <ViewHead title="Deleted" level={2} />
      {restore.isError && <Failure error={restore.error} what="The user" verb="restored" />}
      {users.query.isPending && <Loading what="the deleted users" />}
      {users.query.isError && <Failure error={users.query.error} what="The deleted users" onRetry={() => void users.query.refetch()} />}
      {users.query.isSuccess && users.rows.length === 0 && <p className="quiet padded">No user is deleted.</p>}
      {users.rows.length > 0 && <Table label="Deleted users" columns={columns} rows={users.rows} idOf={(user) => user.id} isOld={users.isOld} />}
      <More query={users.query} />
    </section>
  );
}

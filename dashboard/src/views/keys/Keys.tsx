/** The keys by which programs send records and read them. */
import { useSession } from "../../api/session";
import { useState } from "react";
import { withoutCodes } from "../../parts/text";
import type { ApiKey } from "../../api/client";
import { usePages } from "../../api/pages";
import { useParam } from "../../frame/address";
import { AdminsOnly } from "../../parts/AdminsOnly";
import { More } from "../../parts/More";
import { Name } from "../../parts/Name";
import { Day, Time } from "../../parts/Show";
import { Empty, Failure, Loading } from "../../parts/State";
import { OpenNote } from "../../parts/OpenNote";
import { Table } from "../../parts/Table";
import { useRowFocus } from "../../parts/useRowFocus";
import type { Column } from "../../parts/Table";
import { FindBox, Switch } from "../../parts/Tools";
import { ViewHead } from "../../parts/ViewHead";
import { NewKey, RevokeKey } from "./KeyDialogs";

export function Keys() {
  return (
    <AdminsOnly title="API keys" what="the API keys">
      <AllKeys />
    </AdminsOnly>
  );
}

function AllKeys() {
  const [find] = useParam("find");
  const [deleted, setDeleted] = useParam("deleted");
  const [sort, setSort] = useParam("sort", "-created_at");
  const [dialog, setDialog] = useParam("do");
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const view = useRowFocus<HTMLDivElement>();
  const parameters = { ...(find === "" ? {} : { name__icontains: find }), order_by: `${sort},id`, limit: 100 };
  const keys = usePages<ApiKey>("/keys", parameters);
  const columns: Column<ApiKey>[] = [
    ...COLUMNS,
    {
      name: "actions",
      label: "Actions",
      isLabelHidden: true,
      isNarrow: true,
      cell: (key) => (
        <button type="button" className="plain" aria-label={`Revoke ${withoutCodes(key.name.slice(0, 200))}`} onClick={() => setRevoking(key)}>
          Revoke …
        </button>
      ),
    },
  ];
  const isOpen = useSession().is_open;
  const isEmpty = keys.query.isSuccess && keys.rows.length === 0;
  return (
    <div ref={view}>
      <ViewHead title="API keys">
        <FindBox label="Find a name" />
        <Switch isOn={deleted === "with"} onChange={(isOn) => setDeleted(isOn ? "with" : "")}>
          Show revoked keys, too
        </Switch>
        <button type="button" className="primary" onClick={() => setDialog("new")}>
          Make a key
        </button>
      </ViewHead>
      <OpenNote>No key is needed now. Keys that you make work as soon as the server requires them.</OpenNote>
      {keys.query.isPending && <Loading what="the keys" />}
      {keys.query.isError && <Failure error={keys.query.error} what="The keys" onRetry={() => void keys.query.refetch()} />}
      {isEmpty &&
        (find === "" ? (
          <Empty title="There is no key yet.">
            <p>A program that sends records, or reads them, {isOpen ? "needs one once this server asks for it" : "needs one"}.</p>
          </Empty>
        ) : (
          <Empty title="No key has such a name." />
        ))}
      {keys.rows.length > 0 && <Table label="API keys" columns={columns} rows={keys.rows} idOf={(key) => key.id} sort={sort} onSort={setSort} isOld={keys.isOld} onOpen={setRevoking} />}
      <More query={keys.query} />
      {deleted === "with" && <RevokedKeys parameters={parameters} />}
      {dialog === "new" && <NewKey onClose={() => setDialog("")} />}
      {revoking && <RevokeKey apiKey={revoking} onClose={() => setRevoking(null)} />}
    </div>
  );
}

/** Asks for the revoked ones only: the others are there already. */
function RevokedKeys({ parameters }: { parameters: Record<string, string | number> }) {
  const keys = usePages<ApiKey>("/keys", { ...parameters, deleted: "only" });
  return (
    <section aria-label="Revoked keys">
      <ViewHead title="Revoked" level={2} />
      {keys.query.isPending && <Loading what="the revoked keys" />}
      {keys.query.isError && <Failure error={keys.query.error} what="The revoked keys" onRetry={() => void keys.query.refetch()} />}
      {keys.query.isSuccess && keys.rows.length === 0 && <p className="quiet padded">No key is revoked.</p>}
      {keys.rows.length > 0 && <Table label="Revoked keys" columns={REVOKED} rows={keys.rows} idOf={(key) => key.id} isOld={keys.isOld} />}
      <More query={keys.query} />
    </section>
  );
}

const COLUMNS: Column<ApiKey>[] = [
  { name: "name", label: "Name", isSorted: true, cell: (key) => <Name text={key.name} /> },
  { name: "prefix", label: "Begins with", cell: (key) => <code>lb_{key.prefix}_…</code> },
  { name: "scope", label: "May", isSorted: true, cell: (key) => key.scope },
  { name: "created_at", label: "Created", isSorted: true, cell: (key) => <Day at={key.created_at} /> },
  { name: "last_used_at", label: "Last used", isSorted: true, cell: (key) => (key.last_used_at === null ? <span className="quiet">never</span> : <Time at={key.last_used_at} />) },
  { name: "expires_at", label: "Expires", isSorted: true, cell: (key) => <Expiry at={key.expires_at} /> },
];

/** A revoked key changes no more: its last change is its end. */
const REVOKED: Column<ApiKey>[] = [
  ...COLUMNS.filter((column) => column.name !== "expires_at").map((column) => ({ ...column, isSorted: false })),
  { name: "updated_at", label: "Revoked", cell: (key) => <Time at={key.updated_at} /> },
];

function Expiry({ at }: { at: string | null }) {
  const [now] = useState(() => Date.now());
  if (at === null) return <span className="quiet">never</span>;
  return (
    <>
      <Day at={at} /> {new Date(at).getTime() <= now && <span className="quiet">expired</span>}
    </>
  );
}

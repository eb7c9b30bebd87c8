/** What the tables hold: sizes, partitions, what is not sealed yet, and what pruning would take. */
import { useStorage } from "../../api/storage";
import type { StoredTable } from "../../api/storage";
import { useParam } from "../../frame/address";
import { useKeys } from "../../frame/keys";
import { Day, Time } from "../../parts/Show";
import { Empty, Failure, Loading } from "../../parts/State";
import { sortRows } from "../../parts/sort";
import { Table } from "../../parts/Table";
import { useRowFocus } from "../../parts/useRowFocus";
import type { Column } from "../../parts/Table";
import { ViewHead } from "../../parts/ViewHead";
import { bytes, count } from "../../time/format";
import { Bytes, Legend } from "./Bytes";
import { Partitions } from "./Partitions";
import styles from "./Storage.module.css";
import { blockerInWords, isBehind, isSealed, nameOf, planInWords, retentionInWords, statesExplained, statesInWords, waitInWords } from "./words";

export function Storage() {
  const storage = useStorage();
  const [sort, setSort] = useParam("sort", "-all");
  useKeys([{ keys: "r", name: "Refresh", run: () => void storage.refetch() }]);
  const view = useRowFocus<HTMLDivElement>();
  const [open, setOpen] = useParam("open");
  const tables = storage.data?.data ?? [];
  const show = (table: StoredTable) => {
    if (table.partitions.length > 0 && !open.split(",").includes(table.table)) setOpen(open === "" ? table.table : `${open},${table.table}`, { replace: true });
    document.getElementById(detailId(table))?.scrollIntoView({ block: "nearest" });
  };
  const all = tables.reduce((sum, table) => sum + table.bytes.all, 0);
  const most = Math.max(...tables.map((table) => table.bytes.all), 1);
  const behind = tables.filter(isBehind);
  return (
    <div ref={view}>
      <ViewHead title="Storage">
        {storage.data && (
          <span className="quiet">
            {bytes(all)} · measured <Time at={storage.data.metadata.measured_at} />
          </span>
        )}
        <button type="button" disabled={storage.isFetching} onClick={() => void storage.refetch()}>
          Refresh
        </button>
      </ViewHead>
      {storage.isPending && <Loading what="the sizes of the tables" />}
      {storage.isError && <Failure error={storage.error} what="The storage" onRetry={() => void storage.refetch()} />}
      {storage.isSuccess && tables.length === 0 && <Empty title="There is no table." />}
      {behind.map((table) => (
        <p key={table.table} className={`padded level-warn ${styles.note ?? ""}`} role="status">
          ⚠ Sealing of {nameOf(table.table).toLowerCase()} is behind: {waitInWords(table.unsealed_rows)}. Searches read {table.unsealed_rows === 1 ? "it" : "them one by one"}.
        </p>
      ))}
      {tables.length > 0 && (
        <>
          <Legend />
          <p className="quiet small padded">
            Sealed records are summarised, so that searches skip what cannot match. New ones wait for it until there are enough of them, and are searched one by one: nothing is missing.
          </p>
          <Table label="Tables" columns={columns(most)} rows={sortRows(tables, sort, valueOf)} idOf={(table) => table.table} sort={sort} onSort={setSort} onOpen={show} />
          {tables.map((table) => (
            <TableDetail key={table.table} table={table} />
          ))}
        </>
      )}
    </div>
  );
}

function detailId({ table }: StoredTable): string {
  return `storage-${table}`;
}

function valueOf(table: StoredTable, name: string): string | number | null {
  if (name === "rows") return table.rows;
  if (name === "unsealed") return isSealed(table) ? table.unsealed_rows : null;
  if (name === "oldest") return table.oldest;
  if (name === "newest") return table.newest;
  return name === "table" ? nameOf(table.table) : table.bytes.all;
}

function columns(most: number): Column<StoredTable>[] {
  return [
    { name: "table", label: "Table", isSorted: true, cell: (table) => nameOf(table.table) },
    { name: "bar", label: "Size by part", isLabelHidden: true, cell: (table) => <Bytes bytes={table.bytes} most={most} /> },
    { name: "all", label: "Size", isNumber: true, isSorted: true, cell: (table) => bytes(table.bytes.all) },
    { name: "rows", label: "Records", isNumber: true, isSorted: true, cell: (table) => <Records table={table} /> },
    { name: "unsealed", label: "Newest, not sealed", isNumber: true, isSorted: true, cell: (table) => (isSealed(table) ? <span title="New records that are not summarised for search yet; they are found all the same">{count(table.unsealed_rows)}</span> : "–") },
    { name: "oldest", label: "Oldest", isSorted: true, cell: (table) => (table.oldest === null ? "–" : <Time at={table.oldest} />) },
    { name: "newest", label: "Newest", isSorted: true, cell: (table) => (table.newest === null ? "–" : <Time at={table.newest} />) },
    { name: "partitions", label: "Partitions", cell: (table) => <span title={statesExplained(table.partitions)}>{statesInWords(table.partitions)}</span> },
  ];
}

function Records({ table }: { table: StoredTable }) {
  if (table.rows_are_exact) return count(table.rows);
  return <span title="Sealed records are counted as of their sealing">~{count(table.rows)}</span>;
}

function TableDetail({ table }: { table: StoredTable }) {
  const name = nameOf(table.table);
  const plan = table.prune_plan;
  return (
    <section id={detailId(table)} aria-label={name} className={styles.detail}>
      <h2>{name}</h2>
      <dl className={styles.facts}>
        <dt>Retention</dt>
        <dd>{retentionInWords(table.retention)}</dd>
        <dt>Pruning would take</dt>
        <dd>
          {planInWords(plan)}
          {plan !== null && plan.oldest_remaining !== null && (
            <>
              {" "}
              The oldest that stays is of <Day at={plan.oldest_remaining} />.
            </>
          )}
          {plan?.blockers.map((blocker) => (
            <span key={blocker.partition} className={`quiet ${styles.line ?? ""}`}>
              <bdi>{blockerInWords(blocker)}</bdi>
            </span>
          ))}
        </dd>
        {isSealed(table) && (
          <>
            <dt>Sealed</dt>
            <dd>
              {table.sealed_until === null ? "Nothing yet" : `Up to id ${count(table.sealed_until)}`}; {waitInWords(table.unsealed_rows)}. The newest id is {count(table.newest_id)}.
            </dd>
          </>
        )}
      </dl>
      {table.partitions.length > 0 && <Partitions table={table} />}
    </section>
  );
}

/** The partitions of a table: behind a line, since there may be hundreds. */
import { useState } from "react";
import type { Partition, StoredTable } from "../../api/storage";
import { useParam } from "../../frame/address";
import { Table } from "../../parts/Table";
import type { Column } from "../../parts/Table";
import { bytes, count, counted } from "../../time/format";
import { Size } from "./Bytes";
import styles from "./Storage.module.css";
import { nameOf, STATE_NAMES, STATES, statesExplained, statesInWords } from "./words";

/** How many are drawn at first. */
const FIRST = 50;

export function Partitions({ table }: { table: StoredTable }) {
  const [open, setOpen] = useParam("open");
  const [shown, setShown] = useState(FIRST);
  const tables = open === "" ? [] : open.split(",");
  const isOpen = tables.includes(table.table);
  const toggle = () => setOpen((isOpen ? tables.filter((one) => one !== table.table) : [...tables, table.table]).join(","), { replace: true });
  // The newest are looked for first.
  const rows = [...table.partitions].reverse();
  const most = Math.max(...rows.map((partition) => partition.bytes), 1);
  const dropped = new Set(table.prune_plan?.dropped_partitions.map((partition) => partition.name));
  return (
    <>
      <button type="button" className={`plain ${styles.fold ?? ""}`} aria-expanded={isOpen} title={statesExplained(table.partitions)} onClick={toggle}>
        <span aria-hidden>{isOpen ? "▾" : "▸"}</span>
        {counted(rows.length, "partition")}: {statesInWords(table.partitions)}
      </button>
      {isOpen && (
        <div className={styles.partitions}>
          <Table label={`Partitions of ${nameOf(table.table)}`} columns={columns(most, dropped)} rows={rows.slice(0, shown)} idOf={(partition) => partition.name} />
          {shown < rows.length && (
            <button type="button" onClick={() => setShown(shown * 10)}>
              {count(rows.length - shown)} more …
            </button>
          )}
        </div>
      )}
    </>
  );
}

function columns(most: number, dropped: Set<string>): Column<Partition>[] {
  return [
    { name: "name", label: "Name", cell: (partition) => <code>{partition.name}</code> },
    {
      name: "state",
      label: "State",
      cell: (partition) => (
        <>
          <span title={`${partition.state}: ${STATES[partition.state]}`}>{STATE_NAMES[partition.state]}</span>
          {dropped.has(partition.name) && <span className="quiet"> · would be dropped</span>}
        </>
      ),
    },
    { name: "bar", label: "Size as a bar", isLabelHidden: true, cell: (partition) => <Size value={partition.bytes} most={most} /> },
    { name: "bytes", label: "Size", isNumber: true, cell: (partition) => bytes(partition.bytes) },
    { name: "rows", label: "Records", isNumber: true, cell: (partition) => <Estimate partition={partition} /> },
    { name: "ids", label: "Ids", cell: (partition) => <span className="data">{ids(partition)}</span> },
  ];
}

/** PostgreSQL estimates nothing before it has analysed a partition. */
function Estimate({ partition: { estimated_rows: rows, state } }: { partition: Partition }) {
  if (rows === 0 && state !== "precreated") return <span title="Not estimated yet">–</span>;
  return <span title="As PostgreSQL estimates it">~{count(rows)}</span>;
}

/** The bounds of a partition: the end is the id after the last. */
function ids({ from, to }: Partition): string {
  if (from === null && to === null) return "all others";
  return `${from === null ? "…" : count(from)} – ${to === null ? "" : count(to - 1)}`;
}

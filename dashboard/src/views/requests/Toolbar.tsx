/** What the list shows, in which order, and what can be done with all of it. */
import { useIsAdmin } from "../../api/session";
import { useParam, useSetParams } from "../../frame/address";
import { Copy } from "../../parts/Show";
import { ExportMenu } from "./ExportMenu";
import type { Order, RequestSearch } from "./search";
import styles from "./Requests.module.css";

const ORDERS: { order: Order; name: string; title: string }[] = [
  { order: "newest", name: "Newest", title: "The newest first; live shows these" },
  { order: "slowest", name: "Slowest", title: "The slowest first" },
  { order: "ranked", name: "Ranked", title: "Those first that have the words best" },
];

interface Props {
  search: RequestSearch;
  hasFacets: boolean;
  onFacets: () => void;
}

export function Toolbar({ search, hasFacets, onFacets }: Props) {
  const setParams = useSetParams();
  const [chart, setChart] = useParam("chart", "time");
  const [deleted, setDeleted] = useParam("deleted");
  const isAdmin = useIsAdmin();
  return (
    <div className={styles.toolbar}>
      <button type="button" aria-pressed={hasFacets} onClick={onFacets}>
        Filters
      </button>
      <div role="group" aria-label="Order" className={styles.group}>
        {ORDERS.map(({ order, name, title }) => (
          <button key={order} type="button" aria-pressed={search.order === order} disabled={order === "ranked" && !search.hasWords} title={order === "ranked" && !search.hasWords ? "Needs words in the search" : title} onClick={() => setParams({ order, live: "" })}>
            {name}
          </button>
        ))}
      </div>
      <div role="group" aria-label="Above the list" className={styles.group}>
        <button type="button" aria-pressed={chart === "time"} onClick={() => setChart("time")}>
          Over time
        </button>
        <button type="button" aria-pressed={chart === "country"} onClick={() => setChart("country")}>
          By country
        </button>
      </div>
      <span className={styles.space} />
      {isAdmin && (
        <button type="button" aria-pressed={deleted === "only"} title="Deleted requests, which can be restored" onClick={() => setDeleted(deleted === "only" ? "" : "only")}>
          Deleted
        </button>
      )}
      <ExportMenu search={search} />
      <Copy text={() => location.href}>Share</Copy>
    </div>
  );
}

/** What the list shows, in which order, and what can be done with all of it. */
import { exportAddress } from "../../api/client";
import { useIsAdmin } from "../../api/session";
import { useParam, useSetParams } from "../../frame/address";
import { Choice } from "../../parts/Choice";
import { CopyLink } from "../../parts/CopyLink";
import { ExportMenu } from "../../parts/ExportMenu";
import { Toolbar } from "../../parts/Toolbar";
import { namesRecords, searchFor, sentOf } from "./outgoing";
import type { RequestSearch } from "./search";

interface Props {
  search: RequestSearch;
  said: string;
  hasFacets: boolean;
  onFacets: () => void;
}

export function RequestsToolbar({ search, said, hasFacets, onFacets }: Props) {
  const setParams = useSetParams();
  const [chart, setChart] = useParam("chart", "time");
  const [deleted, setDeleted] = useParam("deleted");
  const isAdmin = useIsAdmin();
  const isWith = search.hasOutgoing && sentOf(search.text) === "both";
  const actions = (
    <>
      {isAdmin && (
        <button type="button" aria-pressed={deleted === "only"} title="Only deleted requests, to restore them" onClick={() => setDeleted(deleted === "only" ? "" : "only")}>
          Show deleted
        </button>
      )}
      <ExportMenu what="requests" formats={["har", "jsonl", "csv", "parquet", "curl"]} addressOf={(format) => exportAddress("/requests", search.listed, format)} />
      <CopyLink of="view" />
    </>
  );
  const more = (
    <>
      {!namesRecords(search.text) && (
        <button
          type="button"
          aria-pressed={isWith}
          title="Calls that the application sent itself; the overview leaves them out"
          onClick={() => setParams({ q: searchFor(search.text, "both"), outgoing: isWith ? "" : "1" })}
        >
          With outgoing calls
        </button>
      )}
      <Choice
        label="Above the list"
        chosen={chart}
        options={[
          { value: "time", name: "Over time" },
          { value: "country", name: "By country" },
        ]}
        onChoose={setChart}
      />
    </>
  );
  return (
    <Toolbar label="How requests are shown" said={said} more={more} actions={actions}>
      <button type="button" aria-pressed={hasFacets} aria-controls={hasFacets ? "request-facets" : undefined} onClick={onFacets}>
        Fields
      </button>
      <Choice
        label="Order"
        chosen={search.order}
        options={[
          { value: "ranked", name: "Ranked", title: "Those first that have the words best", whyNot: search.hasWords ? undefined : "Ranking needs words in the search" },
          { value: "newest", name: "Newest", title: "The newest first; live shows these" },
          { value: "slowest", name: "Slowest", title: "The slowest first" },
        ]}
        onChoose={(order) => setParams({ order: order === "ranked" || (order === "newest" && !search.hasWords) ? "" : order, live: "" })}
      />
    </Toolbar>
  );
}

/** Requests: a list that filters narrow, one of them in detail beside it, and sending it again. */
import type { QueryKey } from "@tanstack/react-query";
import { useState } from "react";
import { useParam, useSetParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { LiveLine } from "../../parts/LiveLine";
import type { FoundWord } from "../../parts/nearHits";
import { Panel } from "../../parts/Panel";
import { useFollowedCounts } from "../../parts/useFollowedCounts";
import { Countries } from "./Countries";
import { useRequestDetail } from "./detail/RequestDetail";
import { Facets } from "./Facets";
import { RequestList } from "./RequestList";
import { useRequestSearch } from "./search";
import { RequestsToolbar } from "./Toolbar";
import { Traffic } from "./Traffic";
import { useRequestKeys } from "./useRequestKeys";
import { useRequestList } from "./useRequestList";
import styles from "./Requests.module.css";

/** Whether there is room for filters beside the list, and the detail. */
const hasRoom = (hasDetail: boolean) => matchMedia(`(min-width: ${hasDetail ? 1500 : 1000}px)`).matches;

/** Counts that follow the requests that arrive; percentiles follow as the window goes on. */
const NO_WORDS: readonly FoundWord[] = [];
const isCount = ([model, kind]: QueryKey) => model === "requests" && (kind === "histogram" || kind === "facet");

export function Requests() {
  const search = useRequestSearch();
  const setParams = useSetParams();
  const [open] = useParam("open");
  const [chart] = useParam("chart", "time");
  const [facets, setFacets] = useParam("facets");
  const [chosen, setChosen] = useState<number | null>(null);
  const { text: rangeText, isLive } = useWindow();
  const [isPaused, setPaused] = useState(false);
  const openId = /^\d{1,19}$/.test(open) ? Number(open) : null;
  const list = useRequestList(search, isPaused || openId !== null);
  useFollowedCounts(list.newestId, isCount);
  const current = openId ?? chosen;
  const hasFacets = facets === "" ? hasRoom(openId !== null) : facets === "show";

  const show = (id: number) => {
    setChosen(id);
    setParams({ open: String(id) }, { replace: openId !== null });
  };
  const close = () => {
    setChosen(openId);
    setParams({ open: "", tab: "" });
  };
  const detail = useRequestDetail(openId, list.rows, show);

  // Rows of the search before say nothing of this one.
  const listed = list.query.data === undefined || list.query.isPlaceholderData ? null : list.rows.length;
  const said = useRequestKeys({ rows: list.rows, current, text: search.text, isDeleted: search.isDeleted, onOpen: show });

  return (
    <div className={styles.view} data-open={openId !== null || undefined}>
      <h1 className="hidden-label">Requests</h1>
      <RequestsToolbar search={search} said={said} hasFacets={hasFacets} onFacets={() => setFacets(hasFacets ? "hide" : "show")} />
      {chart === "country" ? <Countries search={search} /> : <Traffic search={search} listed={listed} found={list.rows[0]?.hit?.why.words ?? NO_WORDS} />}
      {isLive && <LiveLine what="requests" tail={list.tail} isPaused={isPaused} onPause={setPaused} />}
      <div className={styles.main}>
        <Panel label="Request" detail={detail} onClose={close}>
          <div className={styles.columns} data-facets={hasFacets || undefined}>
            {hasFacets && <Facets search={search} />}
            <RequestList search={search} list={list} question={JSON.stringify(["requests", search.text, search.order, rangeText, search.isDeleted])} chosen={current} onChoose={(row) => (openId === null ? setChosen(row.id) : show(row.id))} onOpen={(row) => show(row.id)} />
          </div>
        </Panel>
      </div>
    </div>
  );
}

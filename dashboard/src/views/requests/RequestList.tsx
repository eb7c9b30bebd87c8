/** The list of requests, with its states: loading, failed, empty, live. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { list as read } from "../../api/client";
import { useSetParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { columnsIn } from "../../parts/columns";
import { LookLonger } from "../../parts/LookLonger";
import { noneHas } from "../../parts/nearHits";
import { Empty, Failure, Loading } from "../../parts/State";
import { VirtualList } from "../../parts/VirtualList";
import type { ListControl } from "../../parts/VirtualList";
import { WhyNothing } from "../../parts/WhyNothing";
import { parse } from "../../query/parse";
import { count } from "../../time/format";
import { rangeInWords } from "../../time/range";
import { decides, withoutOutgoing } from "./outgoing";
import { ListHead, RequestLine } from "./RequestLine";
import type { RequestSearch } from "./search";
import type { RequestRow, useRequestList } from "./useRequestList";
import styles from "./List.module.css";

interface Props {
  search: RequestSearch;
  list: ReturnType<typeof useRequestList>;
  /** What the list is of: another one begins at the top. */
  question: string;
  chosen: number | null;
  onOpen: (row: RequestRow) => void;
  onChoose: (row: RequestRow) => void;
}

/** The pixels of paths before they are measured. */
const LEAST_WIDTH = 200;

const idOf = (row: RequestRow) => row.id;

export function RequestList({ search, list, question, chosen, onChoose, onOpen }: Props) {
  const control = useRef<ListControl>(null);
  const { query, rows } = list;
  const [pathWidth, setPathWidth] = useState(LEAST_WIDTH);
  const columns = columnsIn(pathWidth);
  const slowest = useMemo(() => rows.reduce((most, row) => Math.max(most, row.duration ?? 0), 0), [rows]);
  if (query.isError && rows.length === 0) return <Failure error={query.error} what="The list" onRetry={() => void query.refetch()} />;
  if (query.isPending) return <Loading what="the requests" />;
  if (rows.length === 0) return <NothingFound search={search} />;
  return (
    <div className={styles.list}>
      <ListHead onPathWidth={setPathWidth} />
      <div className={styles.rows}>
        <VirtualList
          rows={rows}
          idOf={idOf}
          label="Requests"
          chosen={chosen}
          onChoose={onChoose}
          onOpen={onOpen}
          onEnd={list.more}
          onTop={list.setAtTop}
          control={control}
          hasKeys
          isStale={query.isPlaceholderData}
          answers={{ question, version: search.listAsked }}
        >
          {(row) => <RequestLine row={row} slowest={slowest} columns={columns} />}
        </VirtualList>
      </div>
      {list.waiting > 0 && (
        <button
          type="button"
          className={styles.pill}
          onClick={() => {
            list.tail.show();
            control.current?.scrollToTop();
          }}
        >
          ↑ {count(list.waiting)} new
        </button>
      )}
      <ListState list={list} />
    </div>
  );
}

/** One line below the list, if it has something to say. */
function ListState({ list: { query } }: Pick<Props, "list">) {
  const { isFetchNextPageError, isFetchingNextPage, isRefetchError, fetchNextPage, refetch } = query;
  if (isFetchNextPageError)
    return (
      <p className={styles.foot}>
        More could not be loaded.{" "}
        <button type="button" className="plain" onClick={() => void fetchNextPage()}>
          Try again
        </button>
      </p>
    );
  if (isRefetchError)
    return (
      <p className={styles.foot}>
        The list could not be loaded again; these are the requests of before.{" "}
        <button type="button" className="plain" onClick={() => void refetch()}>
          Try again
        </button>
      </p>
    );
  if (isFetchingNextPage) return <p className={styles.foot}>Loading more …</p>;
  return null;
}

function NothingFound({ search }: { search: RequestSearch }) {
  const { range } = useWindow();
  const setParams = useSetParams();
  const unsearched: [string, string][] = [...search.ranged, ...withoutOutgoing(search.text, search.hasOutgoing), ...(search.isDeleted ? [["deleted", "only"] as [string, string]] : [])];
  return (
    <Empty title={titleOf(search, rangeInWords(range))}>
      {search.text !== "" && (
        <button type="button" onClick={() => setParams({ q: "" })}>
          Clear the search
        </button>
      )}
      {!search.hasOutgoing && !decides(search.text) && (
        <button type="button" onClick={() => setParams({ outgoing: "1" })}>
          With outgoing calls
        </button>
      )}
      <LookLonger />
      {/* The last, so that nothing moves when it comes. */}
      {search.text !== "" && <WhyNothing model="requests" noun="request" text={search.text} parameters={unsearched} asked={search.listAsked} />}
      {search.text === "" && !search.isDeleted && <FirstRequest />}
    </Empty>
  );
}

function titleOf({ text, isDeleted }: RequestSearch, range: string): string {
  const what = isDeleted ? "deleted request" : "request";
  return text === "" ? `No ${what}s in ${range}.` : `${noneHas(parse(text, "requests"), what) ?? `No ${what} is like this`} in ${range}.`;
}

/** How requests come here, if none ever did. */
function FirstRequest() {
  const { asked } = useWindow();
  const { data: isEmpty } = useQuery({
    queryKey: ["requests", "any", asked],
    queryFn: async ({ signal }) => (await read<RequestRow>("/requests", { order_by: "-id", limit: 1, total: "none" }, signal)).data.length === 0,
    retry: false,
  });
  if (isEmpty !== true) return null;
  return (
    <span>
      No request is stored yet. Requests come here from capture, an import, or the API: <Link to="/start">send the first</Link>.
    </span>
  );
}

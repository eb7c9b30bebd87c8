/** Which values the shown requests have, and how often. A click shows only these; several can be chosen. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { read } from "../../api/client";
import { useParam } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { Facet } from "../../parts/Facets";
import { ROUTE_FIELD } from "../../query/route";
import { CLASSES, classesOf, selectionOf, toggle, toggleClass, withoutField } from "./choices";
import type { Value } from "./choices";
import { parametersOf } from "./search";
import type { RequestSearch } from "./search";
import styles from "./Requests.module.css";

interface Field {
  /** As the API calls it, and as the search says it. */
  field: string;
  name: string;
  title: string;
}

const FIELDS: Field[] = [
  { field: "method", name: "method", title: "Method" },
  { field: ROUTE_FIELD, name: "route", title: "Route" },
  { field: "path", name: "path", title: "Path" },
  { field: "stage", name: "stage", title: "Stage" },
  { field: "version", name: "version", title: "Version" },
  { field: "geo_country", name: "country", title: "Country" },
  { field: "user_id", name: "user", title: "User" },
  { field: "headers.direction", name: "direction", title: "Direction" },
];

const FEW = 6;
const MANY = 50;

interface Group {
  by: Record<string, Value>;
  of: { count: number };
}

/** What is counted for a field: all without the filters by it, so that what else one could choose stays in sight. */
function useCounted(search: RequestSearch, field: string): [string, string][] {
  const { filters } = useWindow();
  const [deleted] = useParam("deleted");
  return [...filters("timestamp"), ...parametersOf(withoutField(search.text, field), search.order, deleted)];
}

/** How many requests there are, of which a facet shows the most frequent values. Facets without filters share it. */
function useTotal(search: RequestSearch, field: string): number | undefined {
  const parameters = useCounted(search, field);
  const { data } = useQuery({
    queryKey: ["requests", "counts", parameters, search.asked],
    queryFn: ({ signal }) => read<Group[]>("/requests/stats", parameters, signal),
    placeholderData: keepPreviousData,
  });
  return data?.[0]?.of.count;
}

function useCounts(search: RequestSearch, field: string, top: number) {
  const parameters = [...useCounted(search, field), ["by", field], ["top", String(top)]] as [string, string][];
  return useQuery({
    queryKey: ["requests", "counts", parameters, search.asked],
    queryFn: ({ signal }) => read<Group[]>("/requests/stats", parameters, signal),
    placeholderData: keepPreviousData,
  });
}

export function Facets({ search }: { search: RequestSearch }) {
  return (
    <aside id="request-facets" className={styles.facets} aria-label="Fields">
      <ClassFacet search={search} />
      {FIELDS.map((one) => (
        <FieldFacet key={one.field} search={search} {...one} />
      ))}
    </aside>
  );
}

function ClassFacet({ search }: { search: RequestSearch }) {
  const [, setText] = useParam("q");
  const { data, isError, isPlaceholderData } = useCounts(search, "status_code", 600);
  const chosen = classesOf(search.text);
  const isUnanswered = selectionOf(search.text, "status_code").included.includes(null);
  const sums = new Map<number | null, number>();
  for (const group of data ?? []) {
    const code = group.by["status_code"] ?? null;
    const one = code === null ? null : Math.floor(Number(code) / 100);
    sums.set(one, (sums.get(one) ?? 0) + group.of.count);
  }
  const classes = CLASSES.filter((one) => sums.has(one) || chosen.includes(one));
  const values = [...classes.map((one) => ({ value: `${one}xx`, count: sums.get(one) ?? 0 })), ...(sums.has(null) || isUnanswered ? [{ value: NO_ANSWER, count: sums.get(null) ?? 0 }] : [])];
  const rest = withoutField(search.text, "status_code");
  const pick = (value: string | null, isExcluded: boolean) => {
    if (value === NO_ANSWER) setText(isUnanswered && !isExcluded ? rest : `${rest} status:${isExcluded ? "*" : "null"}`.trim());
    else setText(isExcluded ? `${rest} -status:${value ?? ""}`.trim() : toggleClass(search.text, Number(value?.[0])));
  };
  return (
    <Facet
      title="Status"
      values={values}
      chosen={new Set([...chosen.map((one) => `${one}xx`), ...(isUnanswered ? [NO_ANSWER] : [])])}
      excluded={new Set()}
      isStale={isPlaceholderData}
      onPick={pick}
      show={(value) => <span className={`class-${value === NO_ANSWER ? "none" : (value[0] ?? "")}`}>{value}</span>}
    >
      {isError && <NotCounted />}
    </Facet>
  );
}

const NO_ANSWER = "no answer";

function FieldFacet({ search, field, name, title }: Field & { search: RequestSearch }) {
  const [, setText] = useParam("q");
  const [isLong, setLong] = useState(false);
  const most = isLong ? MANY : FEW;
  // One more than is shown tells whether there are more.
  const { data, isError, isPlaceholderData } = useCounts(search, field, most + 1);
  const total = useTotal(search, field);
  const { included, excluded } = selectionOf(search.text, field);
  const counted = (data ?? []).slice(0, most).map((group) => ({ value: textOf(group.by[field] ?? null), count: group.of.count }));
  const asked = [...included, ...excluded].map(textOf).filter((value) => !counted.some((one) => one.value === value));
  // A field that no request has says nothing.
  if (data && asked.length === 0 && counted.every((one) => one.value === null)) return null;
  return (
    <Facet
      title={title}
      values={[...counted, ...asked.map((value) => ({ value, count: 0 }))]}
      {...(total === undefined ? {} : { total })}
      chosen={new Set(included.map(String))}
      excluded={new Set(excluded.map(String))}
      isStale={isPlaceholderData}
      onPick={(value, isExcluded) => setText(toggle(search.text, field, name, value, isExcluded))}
    >
      {isError && <NotCounted />}
      {(data?.length ?? 0) > most &&
        (isLong ? (
          <p className={`quiet small ${styles.facetNote ?? ""}`}>The {MANY} most frequent.</p>
        ) : (
          <button type="button" className={`plain small ${styles.facetNote ?? ""}`} onClick={() => setLong(true)}>
            More …
          </button>
        ))}
    </Facet>
  );
}

function textOf(value: Value): string | null {
  return value === null ? null : String(value);
}

function NotCounted() {
  return <p className={`quiet small ${styles.facetNote ?? ""}`}>Could not be counted.</p>;
}

/** Which values the shown requests have, and how often. A click shows only these; several can be chosen. */
import { useParam } from "../../frame/address";
import { Facet } from "../../parts/Facets";
import { FieldFacet } from "../../parts/FieldFacet";
import { NoFields } from "../../parts/NearNote";
import { useCounts } from "../../parts/useCounts";
import { useLast } from "../../parts/useLast";
import { useLate } from "../../parts/useSettled";
import { pickedValues } from "../../query/picked";
import { NO_ROUTE, ROUTE_FIELD, UNMATCHED } from "../../query/route";
import { CLASSES, FEW, classesOf, toggleClass, withoutStatus } from "./choices";
import { sentOf } from "./outgoing";
import { parametersOf as parametersOfText } from "./search";
import type { RequestSearch } from "./search";
import styles from "./Requests.module.css";

interface Field {
  /** As the API calls it, and as the search says it. */
  field: string;
  name: string;
  title: string;
  /** What a value is called, where its own text does not say it. */
  nameOf?: (value: string | null) => string | null;
  /** Whether it counts what the list leaves out, so that it can be chosen. */
  isOfAll?: boolean;
}

const FIELDS: Field[] = [
  { field: "method", name: "method", title: "Method" },
  { field: ROUTE_FIELD, name: "route", title: "Route", nameOf: (value) => (value === null ? NO_ROUTE : value === UNMATCHED ? "(no such route)" : null) },
  { field: "path", name: "path", title: "Path" },
  { field: "stage", name: "stage", title: "Stage" },
  { field: "version", name: "version", title: "Version" },
  { field: "geo_country", name: "country", title: "Country" },
  { field: "user_id", name: "user", title: "User" },
  { field: "headers.direction", name: "direction", title: "Sent or received", isOfAll: true, nameOf: (value) => (value === null ? "received" : value === "outgoing" ? "sent by the application" : null) },
];

export function Facets({ search }: { search: RequestSearch }) {
  const [deleted] = useParam("deleted");
  const { hasOutgoing } = search;
  const parametersOf = (text: string) => [...search.ranged, ...parametersOfText(text, search.order, deleted, hasOutgoing)];
  const parametersOfAll = (text: string) => [...search.ranged, ...parametersOfText(text, search.order, deleted, true)];
  const isSent = hasOutgoing || sentOf(search.text) === "sent";
  const isRanked = search.order === "ranked";
  const all = useCounts("requests", search.counted, search.asked, isRanked);
  if (isRanked && all.data !== undefined && !all.isPlaceholderData && (all.data[0]?.of.count ?? 0) === 0)
    return (
      <aside id="request-facets" className={styles.facets} aria-label="Fields">
        <NoFields noun="request" className={styles.noFields} />
      </aside>
    );
  return (
    <aside id="request-facets" className={styles.facets} aria-label="Fields">
      <ClassFacet search={search} parametersOf={parametersOf} />
      {FIELDS.map(({ isOfAll = false, nameOf, ...one }) => (
        <FieldFacet
          key={one.field}
          model="requests"
          parametersOf={isOfAll ? parametersOfAll : parametersOf}
          asked={search.asked}
          few={FEW}
          {...one}
          {...(nameOf ? { nameOf: (value) => (value === null && one.field === ROUTE_FIELD && isSent ? "no route (outgoing calls)" : nameOf(value)) } : {})}
        />
      ))}
    </aside>
  );
}

/** All codes are counted, and added up to classes. */
const CODES = 600;

function ClassFacet({ search, parametersOf }: { search: RequestSearch; parametersOf: (text: string) => [string, string][] }) {
  const [, setText] = useParam("q");
  const rest = withoutStatus(search.text);
  const answer = useCounts("requests", [...parametersOf(rest), ["by", "status_code"], ["top", String(CODES)]], search.asked);
  const data = useLast(answer.data);
  const isStale = useLate(answer.isPlaceholderData) || answer.isError;
  const chosen = classesOf(search.text);
  const isUnanswered = pickedValues(search.text, "requests", "status_code").chosen.includes(null);
  const sums = new Map<number | null, number>();
  for (const group of data ?? []) {
    const code = group.by["status_code"] ?? null;
    const one = code === null ? null : Math.floor(Number(code) / 100);
    sums.set(one, (sums.get(one) ?? 0) + group.of.count);
  }
  const classes = CLASSES.filter((one) => sums.has(one) || chosen.includes(one));
  const values = [...classes.map((one) => ({ value: `${one}xx`, count: sums.get(one) ?? 0 })), ...(sums.has(null) || isUnanswered ? [{ value: NO_ANSWER, count: sums.get(null) ?? 0 }] : [])];
  // A list by rank may have near requests where there is nothing to count.
  if (search.order === "ranked" && data && values.length === 0) return null;
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
      isStale={isStale}
      onPick={pick}
      show={(value) => <span className={`class-${value === NO_ANSWER ? "none" : (value[0] ?? "")}`}>{value}</span>}
    >
      {answer.isError && <p className={`quiet small ${styles.facetNote ?? ""}`}>Could not be counted.</p>}
    </Facet>
  );
}

const NO_ANSWER = "no answer";

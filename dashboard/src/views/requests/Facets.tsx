/** Which values the shown requests have, and how often. A click shows only these; several can be chosen. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { read } from "../../api/client";
import { useParam } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { short } from "../../time/format";
import { showControls } from "./controls";
import { CLASSES, classesOf, selectionOf, toggle, toggleClass, withoutField } from "./choices";
import type { Value } from "./choices";
import { parametersOf } from "./search";
import type { RequestSearch } from "./search";
import styles from "./Facets.module.css";

interface Field {
  /** As the API calls it, and as the search says it. */
  field: string;
  name: string;
  title: string;
}

const FIELDS: Field[] = [
  { field: "method", name: "method", title: "Method" },
  { field: "path", name: "path", title: "Path" },
  { field: "stage", name: "stage", title: "Stage" },
  { field: "version", name: "version", title: "Version" },
  { field: "geo_country", name: "country", title: "Country" },
  { field: "user_id", name: "user", title: "User" },
];

const FEW = 6;
const MANY = 50;

interface Group {
  by: Record<string, Value>;
  of: { count: number };
}

/** Counts by a field, without the filters by this field: what else one could choose stays in sight. */
function useCounts(search: RequestSearch, field: string, top: number) {
  const { filters } = useWindow();
  const [deleted] = useParam("deleted");
  const parameters = [...filters("timestamp"), ...parametersOf(withoutField(search.text, field), search.order, deleted), ["by", field], ["top", String(top)]] as [string, string][];
  return useQuery({
    queryKey: ["requests", "counts", parameters],
    queryFn: ({ signal }) => read<Group[]>("/requests/stats", parameters, signal),
    placeholderData: keepPreviousData,
  });
}

export function Facets({ search }: { search: RequestSearch }) {
  return (
    <aside className={styles.facets} aria-label="Filters with counts">
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
  const unanswered = selectionOf(search.text, "status_code").included.includes(null);
  const sums = new Map<number, number>();
  for (const group of data ?? []) {
    const code = group.by["status_code"];
    const one = code === null || code === undefined ? 0 : Math.floor(Number(code) / 100);
    sums.set(one, (sums.get(one) ?? 0) + group.of.count);
  }
  const all = [...sums.values()].reduce((sum, count) => sum + count, 0);
  const classes = CLASSES.filter((one) => sums.has(one) || chosen.includes(one));
  return (
    <Facet title="Status" isOld={isPlaceholderData} isFailed={isError}>
      {classes.map((one) => (
        <Choice
          key={one}
          label={`${one}xx`}
          className={`class-${one}`}
          count={sums.get(one) ?? 0}
          share={(sums.get(one) ?? 0) / all}
          isChosen={chosen.includes(one)}
          isExcluded={false}
          onToggle={() => setText(toggleClass(search.text, one))}
          onExclude={() => setText(`${withoutField(search.text, "status_code")} -status:${one}xx`.trim())}
        />
      ))}
      {(sums.has(0) || unanswered) && (
        <Choice
          label="no answer"
          className="class-none"
          count={sums.get(0) ?? 0}
          share={(sums.get(0) ?? 0) / all}
          isChosen={unanswered}
          isExcluded={false}
          onToggle={() => setText(unanswered ? withoutField(search.text, "status_code") : `${withoutField(search.text, "status_code")} status:null`.trim())}
          onExclude={() => setText(`${withoutField(search.text, "status_code")} status:*`.trim())}
        />
      )}
    </Facet>
  );
}

function FieldFacet({ search, field, name, title }: Field & { search: RequestSearch }) {
  const [, setText] = useParam("q");
  const [isLong, setLong] = useState(false);
  // One more than is shown tells whether there are more.
  const { data, isError, isPlaceholderData } = useCounts(search, field, (isLong ? MANY : FEW) + 1);
  const { included, excluded } = selectionOf(search.text, field);
  const counts = new Map<Value, number>((data ?? []).slice(0, isLong ? MANY : FEW).map((group) => [group.by[field] ?? null, group.of.count]));
  const most = Math.max(1, ...counts.values());
  const has = (list: Value[], value: Value) => list.some((one) => one === value || (one !== null && String(one) === String(value)));
  const values = [...counts.keys(), ...[...included, ...excluded].filter((value) => !has([...counts.keys()], value))];
  const hasMore = (data?.length ?? 0) > (isLong ? MANY : FEW);
  // A field that no request has says nothing.
  if (data && counts.size <= 1 && (counts.size === 0 || counts.has(null)) && included.length + excluded.length === 0) return null;
  return (
    <Facet title={title} isOld={isPlaceholderData} isFailed={isError}>
      {values.map((value) => (
        <Choice
          key={String(value)}
          label={value === null ? "none" : String(value)}
          className={value === null ? "quiet" : ""}
          count={counts.get(value)}
          share={(counts.get(value) ?? 0) / most}
          isChosen={has(included, value)}
          isExcluded={has(excluded, value)}
          onToggle={() => setText(toggle(search.text, field, name, value))}
          onExclude={() => setText(toggle(search.text, field, name, value, true))}
        />
      ))}
      {hasMore && (
        <li>
          {isLong ? (
            <span className="quiet small">the {MANY} most frequent</span>
          ) : (
            <button type="button" className={`plain small ${styles.more ?? ""}`} onClick={() => setLong(true)}>
              more …
            </button>
          )}
        </li>
      )}
    </Facet>
  );
}

function Facet({ title, isOld, isFailed, children }: { title: string; isOld: boolean; isFailed: boolean; children: React.ReactNode }) {
  return (
    <section aria-label={title} style={{ opacity: isOld ? 0.6 : 1 }}>
      <h3 className={styles.title}>{title}</h3>
      {isFailed ? <p className="quiet small">could not be counted</p> : <ul>{children}</ul>}
    </section>
  );
}

interface ChoiceProps {
  label: string;
  className: string;
  /** Undefined for a value that is not among the most frequent. */
  count: number | undefined;
  share: number;
  isChosen: boolean;
  isExcluded: boolean;
  onToggle: () => void;
  onExclude: () => void;
}

function Choice({ label, className, count, share, isChosen, isExcluded, onToggle, onExclude }: ChoiceProps) {
  return (
    <li className={styles.choice}>
      <button type="button" role="checkbox" aria-checked={isChosen} className={`plain ${styles.value ?? ""}`} title={isExcluded ? `${label} is excluded` : label} onClick={onToggle}>
        <span aria-hidden className={styles.box}>
          {isChosen ? "■" : isExcluded ? "✕" : "□"}
        </span>
        <bdi className={`${styles.label ?? ""} ${className}`} style={isExcluded ? { textDecoration: "line-through" } : undefined}>
          {showControls(label.slice(0, 200))}
        </bdi>
        <span className={styles.share} aria-hidden style={{ width: `${Math.min(1, Number.isFinite(share) ? share : 0) * 100}%` }} />
        <span className={styles.count}>{count === undefined ? "" : short(count)}</span>
      </button>
      <button type="button" className={`plain small ${styles.not ?? ""}`} aria-label={`All but ${label}`} title={`All but ${label}`} onClick={onExclude}>
        not
      </button>
    </li>
  );
}

/** The levels and sources of what is shown, with their counts, and places of the metadata that lines have. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { read } from "../../api/client";
import { useParam } from "../../frame/address";
import { Facet } from "../../parts/Facets";
import { Level } from "../../parts/Show";
import { pickedValues, togglePicked } from "./filters";
import type { Line } from "./lines";
import type { LogsState } from "./state";
import { useLast } from "./useLast";
import styles from "./LogFacets.module.css";

/** Places of the metadata that often tell where a line is from. */
const PLACES = ["stage", "service", "env", "host", "version"];
/** How many lines are looked at for them. */
const LOOKED_AT = 200;
const TOP = 10;
const NAMES: Record<string, string> = { level: "Level", source: "Source" };

export function LogFacets({ state, lines }: { state: LogsState; lines: Line[] }) {
  const places = useMemo(() => {
    const found = new Set<string>();
    for (const { log } of lines.slice(0, LOOKED_AT)) {
      if (log.meta === null || typeof log.meta !== "object") continue;
      for (const place of PLACES) if (["string", "number", "boolean"].includes(typeof (log.meta as Record<string, unknown>)[place])) found.add(`meta.${place}`);
    }
    return PLACES.map((place) => `meta.${place}`).filter((place) => found.has(place));
  }, [lines]);
  return (
    <div className={styles.facets}>
      <LogFacet state={state} field="level" show={(level) => <Level level={level} />} />
      <LogFacet state={state} field="source" />
      {places.map((place) => (
        <PlaceFacet key={place} state={state} field={place} />
      ))}
    </div>
  );
}

/** A facet of the metadata: no roll-up counts it, so it waits until one asks for it. */
function PlaceFacet({ state, field }: { state: LogsState; field: string }) {
  const { chosen, excluded } = pickedValues(state.text, field);
  const [isOpen, setOpen] = useState(chosen.size + excluded.size > 0);
  return (
    <>
      <button type="button" className={`plain small ${styles.more ?? ""}`} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden>{isOpen ? "▾" : "▸"}</span> {field}
      </button>
      {isOpen && <LogFacet state={state} field={field} />}
    </>
  );
}

interface Group {
  by: Record<string, string | number | boolean | null>;
  of: { count: number };
}

function LogFacet({ state, field, show }: { state: LogsState; field: string; show?: (value: string) => React.ReactNode }) {
  const [, setText] = useParam("q");
  const { chosen, excluded } = useMemo(() => pickedValues(state.text, field), [field, state.text]);
  // The other values of a field stay in sight when one of them is chosen.
  const parameters = state.current.parameters.filter(([name]) => name !== field && !name.startsWith(`${field}__`));
  const answer = useQuery({
    queryKey: ["logs", "facet", field, parameters, state.current.asked],
    queryFn: ({ signal }) => read<Group[]>("/logs/stats", [...parameters, ["by", field], ["top", String(TOP)]], signal),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    gcTime: 60_000,
  });
  const known = useLast(answer.data);
  // Of more values than are shown, the shares are of all lines.
  const isCut = (known?.length ?? 0) >= TOP;
  const all = useQuery({
    queryKey: ["logs", "facet", parameters, state.current.asked],
    queryFn: ({ signal }) => read<Group[]>("/logs/stats", parameters, signal),
    enabled: isCut,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    gcTime: 60_000,
  });
  const total = isCut ? all.data?.[0]?.of.count : undefined;
  const values = useMemo(() => {
    const counted = known?.map((group) => ({ value: group.by[field] === null || group.by[field] === undefined ? null : String(group.by[field]), count: group.of.count })) ?? [];
    const seen = new Set(counted.map((one) => one.value ?? "null"));
    return [...counted, ...[...chosen, ...excluded].filter((one) => !seen.has(one)).map((value) => ({ value: value === "null" ? null : value, count: 0 }))];
  }, [chosen, excluded, field, known]);
  return (
    <Facet
      title={NAMES[field] ?? field}
      {...(total === undefined ? {} : { total })}
      values={values}
      chosen={chosen}
      excluded={excluded}
      isStale={answer.isPlaceholderData || answer.isError}
      onPick={(value, isExcluded) => setText(togglePicked(state.text, field, value, isExcluded))}
      {...(show ? { show } : {})}
    >
      {answer.isError && <p className={`quiet small ${styles.note ?? ""}`}>Could not be counted.</p>}
      {answer.data?.length === TOP && <p className={`quiet small ${styles.note ?? ""}`}>The {TOP} most frequent; shares are of these.</p>}
      {answer.data?.length === 0 && values.length === 0 && <p className={`quiet small ${styles.note ?? ""}`}>Nothing to count.</p>}
    </Facet>
  );
}

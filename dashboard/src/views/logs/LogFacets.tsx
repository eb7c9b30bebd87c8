/** The levels and sources of what is shown, with their counts, and places of the metadata that lines have. */
import { useMemo, useState } from "react";
import { FieldFacet } from "../../parts/FieldFacet";
import { countingOf } from "../../parts/nearHits";
import { NoFields } from "../../parts/NearNote";
import { Level } from "../../parts/Show";
import { pickedValues } from "../../query/picked";
import type { Line } from "./lines";
import type { LogsState } from "./state";
import { useHistogram } from "./useHistogram";
import styles from "./LogFacets.module.css";

/** Places of the metadata that often tell where a line is from. */
const PLACES = ["stage", "service", "env", "host", "version"];
/** How many lines are looked at for them. */
const LOOKED_AT = 200;

interface Props {
  state: LogsState;
  lines: Line[];
  /** The number of rows of the list; null until it is known. */
  listed: number | null;
}

export function LogFacets({ state, lines, listed }: Props) {
  const { data: counts } = useHistogram(state);
  const places = useMemo(() => {
    const found = new Set<string>();
    for (const { log } of lines.slice(0, LOOKED_AT)) {
      if (log.meta === null || typeof log.meta !== "object") continue;
      for (const place of PLACES) if (["string", "number", "boolean"].includes(typeof (log.meta as Record<string, unknown>)[place])) found.add(`meta.${place}`);
    }
    return PLACES.map((place) => `meta.${place}`).filter((place) => found.has(place));
  }, [lines]);
  const { parametersOf, asked } = state.current;
  const counting = countingOf({ isRanked: state.order === "ranked", counted: counts?.total ?? null, listed });
  // Those of a ranked list are of the lines with all the words.
  const isAlwaysThere = state.order !== "ranked";
  const shared = { model: "logs", parametersOf, asked, isAlwaysThere } as const;
  if (counting === "near" || counting === "nothing") return <NoFields noun="line" className={styles.none} />;
  return (
    <div className={styles.facets}>
      <FieldFacet {...shared} field="level" title="Level" show={(level) => <Level level={level} />} />
      <FieldFacet {...shared} field="source" title="Source" />
      {places.map((place) => (
        <PlaceFacet key={place} state={state} field={place} />
      ))}
    </div>
  );
}

/** A facet of the metadata: no roll-up counts it, so it waits until one asks for it. */
function PlaceFacet({ state, field }: { state: LogsState; field: string }) {
  const { chosen, excluded } = pickedValues(state.text, "logs", field);
  const [isOpen, setOpen] = useState(chosen.length + excluded.length > 0);
  return (
    <>
      <button type="button" className={`plain small ${styles.more ?? ""}`} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden>{isOpen ? "▾" : "▸"}</span> {field}
      </button>
      {isOpen && <FieldFacet model="logs" field={field} title={field} parametersOf={state.current.parametersOf} asked={state.current.asked} isAlwaysThere />}
    </>
  );
}

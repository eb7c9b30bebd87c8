/** Stands in the place of numbers and bars where only near records were found, and leads to the search that has them. */
import { useSetParams } from "../frame/address";
import type { Query } from "../query/parse";
import { BY_RANK, nearNote, respelt } from "./nearHits";
import type { FoundWord } from "./nearHits";
import { shortLine } from "./text";

interface Props {
  text: string;
  query: Pick<Query, "terms" | "filters">;
  noun: string;
  /** What the best hit was found by. */
  found: readonly FoundWord[];
}

export function NearNote({ text, query, noun, found }: Props) {
  const setParams = useSetParams();
  const instead = respelt(text, found);
  return (
    <>
      <span role="status">{nearNote(query, noun)}</span>
      {instead !== null && (
        <button type="button" className="small" title="Its fields and bars are counted" onClick={() => setParams({ q: instead, open: "", copies: "" })}>
          Search for <bdi className="data">{shortLine(instead, 80)}</bdi>
        </button>
      )}
      <span className="quiet">{BY_RANK}</span>
    </>
  );
}

/** The same in the place of the values of fields. */
export function NoFields({ noun, className }: { noun: string; className?: string | undefined }) {
  return <p className={className}>Fields are counted of {noun}s with all the words, and there are none.</p>;
}

/** A text with the words marked that a search found. */
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";

type Highlight = Schemas["Hit"]["highlights"][number];

const MOST_BYTES = 2000;

export function Marked({ highlight }: { highlight: Highlight }) {
  // Ranges count bytes of UTF-8, not the units of 16 bits of a string.
  const bytes = new TextEncoder().encode(highlight.text);
  const text = (from: number, until: number) => new TextDecoder().decode(bytes.subarray(from, Math.min(until, MOST_BYTES)));
  const parts: ReactNode[] = [];
  let at = 0;
  for (const [from = 0, until = 0] of highlight.ranges) {
    if (from < at || until > MOST_BYTES) break;
    parts.push(text(at, from), <mark key={from}>{text(from, until)}</mark>);
    at = until;
  }
  return (
    <>
      {parts}
      {text(at, bytes.length)}
    </>
  );
}

/** A text with the words marked that a search found. */
import type { ReactNode } from "react";
import { withoutCodes } from "../../parts/text";
import type { Schemas } from "../../api/client";

type Highlight = Schemas["Hit"]["highlights"][number];

const MOST_BYTES = 1000;

/** With `lead`, what stands further before the first match is left out. */
export function Marked({ highlight, lead = Infinity }: { highlight: Highlight; lead?: number }) {
  // Ranges count bytes of UTF-8, not the units of 16 bits of a string.
  const bytes = new TextEncoder().encode(highlight.text);
  const text = (from: number, until: number) => withoutCodes(new TextDecoder().decode(bytes.subarray(from, until)));
  const parts: ReactNode[] = [];
  let at = Math.max(0, (highlight.ranges[0]?.[0] ?? 0) - lead);
  // Not within a character.
  while (at > 0 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at--;
  if (at > 0) parts.push("…");
  const end = at + MOST_BYTES;
  for (const [from = 0, until = 0] of highlight.ranges) {
    if (from < at || until > end) break;
    parts.push(text(at, from), <mark key={from}>{text(from, until)}</mark>);
    at = until;
  }
  return (
    <>
      {parts}
      {text(at, end)}
    </>
  );
}

/** A text with the words marked that a search found, cut so that they stay in sight. */
import { excerptOf } from "../../parts/excerpt";
import type { Part } from "../../parts/excerpt";
import type { Highlight } from "./found";

export function Marked({ highlight, columns }: { highlight: Highlight; columns: number }) {
  return <MarkedParts parts={excerptOf(highlight, columns)} />;
}

export function MarkedParts({ parts }: { parts: Part[] }) {
  return parts.map((part, index) => (part.isFound ? <mark key={index}>{part.text}</mark> : part.text));
}

/** A message in which numbers are dimmed and found words marked. */
import type { Segment } from "./text";

export function Segments({ parts }: { parts: Segment[] }) {
  return parts.map((part, index) => {
    if (part.kind === "plain") return part.text;
    if (part.kind === "mark") return <mark key={index}>{part.text}</mark>;
    return (
      <span key={index} className="quiet">
        {part.text}
      </span>
    );
  });
}

/** Says that requests which the application sent itself are counted, too, and leads to the others alone: the overview counts those. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useParams } from "../../frame/address";
import { useCounts } from "../../parts/useCounts";
import { count } from "../../time/format";
import { countSent, searchFor, sentOf } from "./outgoing";
import type { Sent } from "./outgoing";
import { FEW } from "./choices";
import type { RequestSearch } from "./search";

export function OutgoingNote({ search }: { search: RequestSearch }) {
  const sent = sentOf(search.text);
  const isBoth = sent === "both";
  // As the filter “Sent or received” asks, so that both share an answer.
  const by: [string, string][] = [["by", "headers.direction"], ["top", String(FEW + 1)]];
  const all = useCounts("requests", [...search.counted, ...by], search.asked, isBoth);
  const number = countSent(all.data ?? []);
  const failed = useCounts("requests", [...search.counted, ["status_code__gte", "500"], ...by], search.asked, isBoth && number > 0);
  const ofFailed = countSent(failed.data ?? []);
  if (sent === "sent")
    return (
      <span>
        Only those that the application sent itself. <To sent="both" text={search.text}>Show all</To>
      </span>
    );
  if (sent === "received")
    return (
      <span>
        Without those that the application sent itself. <To sent="both" text={search.text}>Count them, too</To>
      </span>
    );
  if (all.isPending) return <span className="quiet">Counting what the application sent itself …</span>;
  if (number === 0) return null;
  return (
    <span title="The overview counts only the requests that the application received.">
      With <To sent="sent" text={search.text}>{count(number)} that the application sent itself</To>
      {ofFailed > 0 && `, ${count(ofFailed)} of them 5xx`}. <To sent="received" text={search.text}>Leave them out</To>
    </span>
  );
}

function To({ sent, text, children }: { sent: Sent; text: string; children: ReactNode }) {
  const params = useParams();
  return (
    <Link to="." search={{ ...params, q: searchFor(text, sent) }}>
      {children}
    </Link>
  );
}

/** Says how many calls that the application sent itself are counted, or left out as in the overview. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useParams } from "../../frame/address";
import { useCounts } from "../../parts/useCounts";
import { count } from "../../time/format";
import { FEW } from "./choices";
import { countSent, namesRecords, NOT_OUTGOING, searchFor, sentOf } from "./outgoing";
import type { Sent } from "./outgoing";
import type { RequestSearch } from "./search";

export function OutgoingNote({ search }: { search: RequestSearch }) {
  const sent = sentOf(search.text);
  const isOff = sent !== "both" || namesRecords(search.text);
  // As the filter “Sent or received” asks, so that both share an answer.
  const by: [string, string][] = [["by", "headers.direction"], ["top", String(FEW + 1)]];
  const counted = search.counted.filter(([name, value]) => name !== NOT_OUTGOING[0] || value !== NOT_OUTGOING[1]);
  const all = useCounts("requests", [...counted, ...by], search.asked, !isOff);
  const number = countSent(all.data ?? []);
  const failed = useCounts("requests", [...counted, ["status_code__gte", "500"], ...by], search.asked, !isOff && search.hasOutgoing && number > 0);
  const ofFailed = countSent(failed.data ?? []);
  if (sent === "sent")
    return (
      <span>
        Only outgoing calls, which the application sent itself. <To sent="both" text={search.text}>Show the others</To>
      </span>
    );
  if (isOff) return null;
  if (all.isPending) return <span className="quiet">Counting outgoing calls …</span>;
  if (number === 0) return null;
  const calls = `${count(number)} outgoing ${number === 1 ? "call" : "calls"}`;
  return (
    <span title="Calls that the application sent itself. The overview counts only the requests that it received.">
      {search.hasOutgoing ? "With" : "Without"} <To sent="sent" text={search.text}>{calls}</To>
      {search.hasOutgoing && ofFailed > 0 && `, ${count(ofFailed)} of them 5xx`}
    </span>
  );
}

function To({ sent, text, children }: { sent: Sent; text: string; children: ReactNode }) {
  const params = useParams();
  return (
    <Link to="." search={{ ...params, q: searchFor(text, sent), outgoing: "" }}>
      {children}
    </Link>
  );
}

/** What the view asks for: the filters and words of the search, the range, the order, all from the address. */
import { useMemo, useState } from "react";
import { useParam } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { parse } from "../../query/parse";
import { withoutOutgoing } from "./outgoing";

export type Order = "newest" | "slowest" | "ranked";
export type Deleted = "" | "only";
export type Pairs = [name: string, value: string][];

export interface RequestSearch {
  /** The text of the search. */
  text: string;
  order: Order;
  hasWords: boolean;
  /** Whether deleted requests are shown, and only these. */
  isDeleted: boolean;
  /** Whether calls that the application sent itself are shown, too. */
  hasOutgoing: boolean;
  /** How often the window of counts, and that of the list, was asked for: part of the keys of both. */
  asked: number;
  listAsked: number;
  /** The range, as all counts restrict the time. */
  ranged: Pairs;
  /** Parameters of counts: the range, the filters and the words. */
  counted: Pairs;
  /** Parameters of the list. While the view is live its range stands still, since the tail adds to it. */
  listed: Pairs;
  /** Parameters of the tail; null where records cannot come in at the top. */
  followed: Pairs | null;
}

const ORDER_BY: Record<Order, string | null> = { newest: "-timestamp,-id", slowest: "-duration,-id", ranked: null };

/** A list that is followed has no end. */
const UNTIL = "timestamp__lt";

export function useRequestSearch(): RequestSearch {
  const [text] = useParam("q");
  const [orderText] = useParam("order");
  const [deleted] = useParam("deleted");
  const hasOutgoing = useParam("outgoing")[0] === "1";
  const { asked, filters, isLive, range, text: rangeText } = useWindow();
  const rangedText = JSON.stringify(filters("timestamp"));

  // Turning live on or off moves nothing: the list keeps the range that it had.
  const [held, setHeld] = useState({ rangeText, isLive, rangedText, asked });
  let kept = held;
  if (held.rangeText !== rangeText || (!isLive && !held.isLive && (held.rangedText !== rangedText || held.asked !== asked))) kept = { rangeText, isLive, rangedText, asked };
  else if (held.isLive !== isLive) kept = { ...held, isLive };
  if (kept !== held) setHeld(kept);
  const { rangedText: heldText, asked: listAsked } = kept;

  return useMemo(() => {
    const order = isLive ? "newest" : orderOf(orderText, parse(text, "requests").words);
    const asks = parametersOf(text, order, deleted, hasOutgoing);
    const order_by = ORDER_BY[order];
    return {
      text,
      order,
      hasWords: parse(text, "requests").words !== "",
      isDeleted: deleted === "only",
      hasOutgoing,
      asked,
      listAsked,
      ranged: JSON.parse(rangedText) as Pairs,
      counted: [...(JSON.parse(rangedText) as Pairs), ...asks],
      listed: [...(JSON.parse(heldText) as Pairs), ...asks, ...(order_by === null ? [["hits", "true"] as [string, string]] : [["order_by", order_by] as [string, string]])],
      followed: order === "newest" && range.kind === "last" ? [...(JSON.parse(heldText) as Pairs).filter(([name]) => name !== UNTIL), ...asks, ["last", "50"]] : null,
    };
  }, [asked, deleted, hasOutgoing, heldText, isLive, listAsked, orderText, range.kind, rangedText, text]);
}

/** With words the best come first, as in the view of logs; without words there is nothing to rank by. */
function orderOf(asked: string, words: string): Order {
  if (asked === "slowest") return "slowest";
  return words === "" || asked === "newest" ? "newest" : "ranked";
}

/** The parameters of a text: those of its filters, and its words. */
export function parametersOf(text: string, order: Order, deleted: string, hasOutgoing: boolean): Pairs {
  const { filters, words } = parse(text, "requests");
  return [...filters, ...withoutOutgoing(text, hasOutgoing), ...(words === "" ? [] : [[order === "ranked" ? "search" : "match", words] as [string, string]]), ...(deleted === "only" ? [["deleted", "only"] as [string, string]] : [])];
}

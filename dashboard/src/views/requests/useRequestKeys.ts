/** Keys of the view that act on a request, or on the value under the pointer. */
import { ApiError } from "../../api/client";
import { useSetParams } from "../../frame/address";
import { useKeys } from "../../frame/keys";
import { useSaid } from "../../parts/useSaid";
import { withFilter } from "../../query/parse";
import { curlOf } from "./exports";
import { pointedAt } from "./pointed";
import type { RequestRow } from "./useRequestList";

interface Options {
  rows: RequestRow[];
  /** The request that is open, or chosen. */
  current: number | null;
  text: string;
  isDeleted: boolean;
  onOpen: (id: number) => void;
}

/** Returns what the last key did, to be said for a moment. */
export function useRequestKeys({ rows, current, text, isDeleted, onOpen }: Options): string {
  const [said, say] = useSaid();
  const setParams = useSetParams();
  const filter = (isExcluded: boolean) => {
    const row = rows.find((one) => one.id === current);
    const value = pointedAt() ?? (row ? { field: "path", value: row.path } : null);
    if (value) setParams({ q: withFilter(text, value.field, value.value, isExcluded) });
    else say("Point at a value, or choose a request (j, k).");
  };
  const copy = async () => {
    if (current === null) {
      say("Choose a request first (j, k).");
      return;
    }
    try {
      await navigator.clipboard.writeText(await curlOf(current, isDeleted));
      say("Copied as curl.");
    } catch (error) {
      say(error instanceof ApiError ? error.detail : "It could not be copied.");
    }
  };
  useKeys([
    {
      keys: "Enter",
      name: "Open the request",
      run: () => {
        const first = current ?? rows[0]?.id;
        if (first !== undefined) onOpen(first);
      },
    },
    { keys: "f", name: "Only the value under the pointer, or this path", run: () => filter(false) },
    { keys: "x", name: "All but the value under the pointer, or this path", run: () => filter(true) },
    { keys: "c", name: "Copy as curl", run: () => void copy() },
  ]);
  return said;
}

/** Where a request is sent if nobody says anything else: where the last one went, else where it was captured, if the server sends there. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { RequestSnapshot } from "../../../api/client";
import { capturedTargets, replay } from "./api";
import type { MaskedPlaces } from "./api";
import { rememberedTargets } from "./remembered";

/** A target that nobody of now chose, and why it stands there. */
export interface Suggestion {
  target: string;
  why: string;
}

export function useSuggestion(record: RequestSnapshot, masked: MaskedPlaces): Suggestion | null {
  const [last] = useState(() => rememberedTargets()[0]);
  // Only a preview tells where the server may send to; it sends nothing.
  const { data } = useQuery({
    queryKey: ["requests", "replay-target", capturedTargets(record)],
    queryFn: async ({ signal }) => {
      for (const target of capturedTargets(record)) {
        const shown = await replay(record, { target, headers: {}, query: {}, body: null, sendMasked: false }, masked, [], false, signal).catch(() => null);
        if (shown?.target_is_allowed) return target;
      }
      return null;
    },
    enabled: last === undefined,
    staleTime: Infinity,
  });
  if (last !== undefined) return { target: last, why: "kept from your last replay" };
  return data ? { target: data, why: "where it was captured" } : null;
}

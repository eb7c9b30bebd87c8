/** What the last replay of a request showed: who looks at its logs and comes back finds it again. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ReplayAnswer, Settings } from "./api";

export interface ReplayResult {
  answer: ReplayAnswer;
  target: string;
  at: string;
  sendMasked: boolean;
  /** Masked headers that it went without. */
  leftOut: string[];
}

/** Kept as long as the page is open, or until somebody else logs in: answers are not asked for again, since that would send again. */
export function useResult(id: number): [result: ReplayResult | null, set: (result: ReplayResult | null) => void] {
  const client = useQueryClient();
  const key = ["requests", "replay-result", id];
  const [result, setResult] = useState(() => client.getQueryData<ReplayResult | null>(key) ?? null);
  return [
    result,
    (next) => {
      setResult(next);
      client.setQueryDefaults(["requests", "replay-result"], { gcTime: Infinity });
      client.setQueryData(key, next);
    },
  ];
}

/** What is kept of an answer: what was sent may have secrets that were filled in. */
export function resultOf(whole: ReplayAnswer, sent: Settings, leftOut: string[]): ReplayResult {
  const answer = { ...whole };
  delete answer.request;
  delete answer.curl;
  return { answer, target: sent.target, at: new Date().toISOString(), sendMasked: sent.sendMasked, leftOut };
}

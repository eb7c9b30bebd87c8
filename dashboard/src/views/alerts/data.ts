/** The rules of alerts: read, and changed. */
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { call, read } from "../../api/client";
import { isMeasured, pairsOf, thresholdOf } from "./rule";
import type { Draft, Rule } from "./rule";
import type { Said } from "./words";

/** How often rules are looked at while they are in sight: the server evaluates them every 15 seconds. */
export const EVERY_MS = 10_000;
/** A rule that was just made is measured soon. */
const SOON_MS = 3000;

export function useRules() {
  return useQuery({
    queryKey: ["alerts"],
    queryFn: ({ signal }) => read<Rule[]>("/alerts", {}, signal),
    refetchInterval: ({ state }) => (state.data?.some((rule) => rule.enabled && !isMeasured(rule)) ? SOON_MS : EVERY_MS),
  });
}

export function useRuleChange() {
  const client = useQueryClient();
  return async <T,>(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> => {
    const answer = await call<T>(`/alerts${path}`, { method, ...(body === undefined ? {} : { body }) });
    // The changes of a rule are not waited for.
    void client.invalidateQueries({ queryKey: ["alert_changes"] });
    await client.invalidateQueries({ queryKey: ["alerts"] });
    return answer;
  };
}

export interface TestResult {
  webhook: string;
  is_delivered: boolean;
  status: number | null;
  problem: string | null;
}

/** A rule as the sentence about it needs it. */
export function saidOf(draft: Draft, webhook: string | null): Said {
  return {
    subject: draft.subject,
    measure: draft.measure,
    pairs: pairsOf(draft),
    comparison: draft.comparison,
    threshold: thresholdOf(draft),
    period: draft.period,
    fireAfter: draft.fireAfter,
    resolveAfter: draft.resolveAfter,
    webhook,
  };
}

/** What a draft would measure now: counts of logs and requests, which are counted quickly. */
export function useCountNow(draft: Pick<Draft, "subject" | "measure" | "search" | "isRaw" | "period">, isEnabled: boolean) {
  const field = draft.subject === "logs" ? "created_at" : "timestamp";
  const pairs = [...pairsOf(draft), [`${field}__gte`, `-${draft.period}s`] as [string, string]];
  return useQuery({
    queryKey: [draft.subject, "count-now", pairs],
    queryFn: async ({ signal }) => (await read<{ of: { count: number } }[]>(`/${draft.subject}/stats`, [["measure", "count"], ...pairs], signal))[0]?.of.count ?? 0,
    enabled: isEnabled && draft.measure === "count" && draft.subject !== "metrics",
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 0,
  });
}

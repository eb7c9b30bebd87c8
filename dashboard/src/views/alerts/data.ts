/** The rules of alerts: read, and changed. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { call, read } from "../../api/client";
import type { Schemas } from "../../api/client";
import { isMeasured, pairsOf, thresholdOf } from "./rule";
import type { Draft, Measure, Pairs, Rule } from "./rule";
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

const VALUES = ["count", "error_rate", "p50_latency", "p95_latency", "p99_latency", "traffic_count"];

/** What a draft would measure now, in its period; null is nothing to measure. New patterns take longer to find, and are left out. */
export function useValueNow(draft: Pick<Draft, "subject" | "measure" | "search" | "isRaw" | "period">, isEnabled: boolean) {
  const { subject, measure, period } = draft;
  const pairs = pairsOf(draft);
  const isOn = isEnabled && VALUES.includes(measure);
  return useQuery({
    queryKey: [subject, "value-now", measure, period, pairs],
    queryFn: ({ signal }) => (subject === "metrics" ? readWindows(measure, period, pairs, signal) : readCount(subject, period, pairs, signal)),
    enabled: isOn,
    // The value of another measure would be shown in a wrong unit.
    placeholderData: (before: number | null | undefined, query) => (isOn && query?.queryKey[2] === measure ? before : undefined),
    retry: false,
    staleTime: 0,
  });
}

async function readCount(subject: "logs" | "requests", period: number, pairs: Pairs, signal: AbortSignal): Promise<number> {
  const field = subject === "logs" ? "created_at" : "timestamp";
  const [all] = await read<{ of: { count: number } }[]>(`/${subject}/stats`, [["measure", "count"], ...pairs, [`${field}__gte`, `-${period}s`]], signal);
  return all?.of.count ?? 0;
}

/** Of the minutes that are over, as the server measures them. */
async function readWindows(measure: Measure, period: number, pairs: Pairs, signal: AbortSignal): Promise<number | null> {
  const until = Math.floor(Date.now() / 60_000) * 60_000;
  const parameters: Pairs = [["from", new Date(until - period * 1000).toISOString()], ["until", new Date(until).toISOString()], ...pairs];
  const { total } = await read<{ total: Schemas["WindowTotals"] }>("/metrics/aggregate", parameters, signal);
  if (measure === "traffic_count") return total.requests;
  if (total.requests === 0) return null;
  return measure === "error_rate" ? total.error_rate : (total.percentiles[measure.replace("_latency", "")] ?? null);
}

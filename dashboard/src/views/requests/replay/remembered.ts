/** What the browser remembers of replays: where they were sent, and what may differ in an answer. */
import { useState } from "react";

const TARGETS = "lookback.replay.targets";
const IGNORED = "lookback.replay.ignored";
const MOST = 10;

function stored(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function store(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Nothing is remembered, and all else works.
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** The targets of before, the last one first. */
export function rememberedTargets(): string[] {
  return texts(stored(TARGETS));
}

export function rememberTarget(target: string): void {
  store(TARGETS, [target, ...rememberedTargets().filter((other) => other !== target)].slice(0, MOST));
}

/** What may differ in the answers of an endpoint. */
export function useIgnored(endpoint: string): [rules: string[], set: (rules: string[]) => void] {
  const all = () => (stored(IGNORED) ?? {}) as Record<string, unknown>;
  const [rules, setRules] = useState(() => texts(all()[endpoint]));
  return [
    rules,
    (next) => {
      setRules(next);
      store(IGNORED, { ...all(), [endpoint]: next });
    },
  ];
}

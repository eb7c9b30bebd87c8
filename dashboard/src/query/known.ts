/** What the server knows for completions: values of fields, and keys of JSON. Each is asked once. */
import { useQuery } from "@tanstack/react-query";
import { list, read } from "../api/client";
import { useWindow } from "../frame/window";
import { useSettled } from "../parts/useSettled";
import { hasKnownValues, pathsOf } from "./complete";
import type { KnownValue, Place } from "./complete";
import type { Model } from "./fields";

const TOP = 20;
const KEPT_MS = 300_000;
/** How many records are looked at for their keys; requests are long. */
const SAMPLE: Record<Model, number> = { logs: 100, requests: 20, metrics: 0 };

/** The field of a time that the window restricts. */
export const TIME_FIELD: Record<Model, string> = { logs: "created_at", requests: "timestamp", metrics: "window_start" };

const NO_VALUES: KnownValue[] = [];
const NO_PATHS: [string, unknown][] = [];

export interface Known {
  values: readonly KnownValue[];
  paths: readonly [string, unknown][];
  isLoading: boolean;
}

/** How long one types on before values are asked for. */
const SETTLED_MS = 150;

/** What is known at a place of the search. */
export function useKnown(place: Place | null, model: Model): Known {
  const { filters, text: range } = useWindow();
  const field = place?.kind === "value" && hasKnownValues(place.field) ? place.field : "";
  const settled = useSettled(`${field}\n${place?.kind === "value" ? place.prefix : ""}`, SETTLED_MS);
  const [asked = "", typed = ""] = settled.split("\n");
  const isAsked = asked !== "" && asked === field;
  const fetchValues = (more: [string, string][], signal: AbortSignal) => valuesOf(model, asked, [...filters(TIME_FIELD[model]), ...more], signal);

  const all = useQuery({
    queryKey: ["known-values", model, asked, range],
    queryFn: ({ signal }) => fetchValues([], signal),
    enabled: isAsked,
    staleTime: KEPT_MS,
    retry: false,
  });
  // Of many values, those that have what is typed.
  const isCut = isAsked && (all.data?.length ?? 0) >= TOP && typed.length >= 2 && !/^status_code$/.test(asked);
  const some = useQuery({
    queryKey: ["known-values", model, asked, range, typed],
    queryFn: ({ signal }) => fetchValues([[`${asked}__ilike`, `%${typed.replace(/[\\%_]/g, "\\$&")}%`]], signal),
    enabled: isCut,
    staleTime: KEPT_MS,
    retry: false,
  });
  const isKey = place?.kind === "key";
  const root = isKey ? place.field : "";
  const sample = useQuery({
    queryKey: ["known-keys", model],
    queryFn: async ({ signal }) => (await list<Record<string, unknown>>(`/${model}`, { limit: SAMPLE[model], total: "none" }, signal)).data,
    select: (records) => pathsOf(root, records.map((record) => record[root])),
    enabled: isKey && SAMPLE[model] > 0,
    staleTime: KEPT_MS,
    retry: false,
  });
  return {
    values: (isCut ? some.data : undefined) ?? (isAsked ? all.data : undefined) ?? NO_VALUES,
    paths: sample.data ?? NO_PATHS,
    isLoading: (isAsked && all.isFetching && !all.data) || (isKey && sample.isFetching && !sample.data),
  };
}

interface Counted {
  by: Record<string, unknown>;
  of: { count: number };
}

async function valuesOf(model: Model, field: string, parameters: [string, string][], signal: AbortSignal): Promise<KnownValue[]> {
  const groups = await read<Counted[]>(`/${model}/stats`, [["by", field], ["top", String(TOP)], ...parameters], signal);
  return groups
    .map((group) => ({ value: Object.values(group.by)[0], count: group.of.count }))
    .filter((one): one is KnownValue => one.value === null || ["string", "number", "boolean"].includes(typeof one.value));
}

/** The request as it would be sent with the settings of the form. The server makes it, and sends nothing. */
import { keepPreviousData, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { RequestSnapshot } from "../../../api/client";
import { useSettled } from "../../../parts/useSettled";
import { isTarget, replay } from "./api";
import type { MaskedPlaces, ReplayAnswer, Settings } from "./api";

/** How long one types on before it is asked for. */
const PAUSE_MS = 300;

export interface Preview {
  data: ReplayAnswer | undefined;
  error: Error | null;
  /** Whether it is of earlier settings, and the one of these is on its way. */
  isOld: boolean;
  /** The settings that it is of. */
  of: Settings;
  /** The preview of some settings without a pause; it is the one that is shown. */
  read: (settings: Settings) => Promise<ReplayAnswer>;
}

export function usePreview(record: RequestSnapshot, settings: Settings, masked: MaskedPlaces): Preview {
  const client = useQueryClient();
  const settled = useSettled(settings, PAUSE_MS);
  const [hurried, setHurried] = useState<Settings | null>(null);
  const of = hurried === settings ? settings : settled;
  const { data, error, isPlaceholderData } = useQuery({ ...previewQuery(record, of, masked), enabled: isTarget(of.target), placeholderData: keepPreviousData });
  return {
    data,
    error,
    isOld: isPlaceholderData || of !== settings,
    of,
    read: (wanted) => {
      setHurried(wanted);
      return client.query(previewQuery(record, wanted, masked));
    },
  };
}

function previewQuery(record: RequestSnapshot, settings: Settings, masked: MaskedPlaces) {
  return queryOptions({
    queryKey: ["requests", "replay", record.id, settings],
    queryFn: ({ signal }) => replay(record, settings, masked, [], false, signal),
    // Secrets that were typed are not kept.
    gcTime: 0,
  });
}

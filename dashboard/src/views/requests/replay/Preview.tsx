/** The request as it would be sent. The server makes it, and sends nothing. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect } from "react";
import { ApiError } from "../../../api/client";
import type { RequestSnapshot } from "../../../api/client";
import { Copy } from "../../../parts/Show";
import { Loading } from "../../../parts/State";
import { Text } from "../detail/Value";
import { plainReason, replay } from "./replay";
import type { MaskedPlaces, Settings } from "./replay";
import styles from "./Replay.module.css";

interface Props {
  record: RequestSnapshot;
  settings: Settings;
  masked: MaskedPlaces;
  /** Whether it can be sent. */
  onReady: (isReady: boolean) => void;
}

const PAUSE_MS = 300;

export function Preview({ record, settings, masked, onReady }: Props) {
  const asked = useDeferredValue(settings);
  const { data, error, isError, isPlaceholderData } = useQuery({
    queryKey: ["requests", "replay", record.id, asked],
    queryFn: async ({ signal }) => {
      // While one types, what is asked for is taken back before it is sent.
      await new Promise((done) => setTimeout(done, PAUSE_MS));
      signal.throwIfAborted();
      return replay(record, asked, masked, [], false, signal);
    },
    placeholderData: keepPreviousData,
    // Secrets that were typed are not kept.
    gcTime: 0,
  });
  const isReady = !isPlaceholderData && data?.result === "dry_run" && data.target_is_allowed;
  useEffect(() => onReady(isReady), [isReady, onReady]);
  if (isError) return <p className={styles.problem}>{error instanceof ApiError ? error.detail : String(error)}</p>;
  if (!data) return <Loading what="the request that would be sent" />;
  const { request } = data;
  return (
    <div style={{ opacity: isPlaceholderData ? 0.6 : 1 }}>
      {data.result === "not_sent" && <p className={styles.problem}>It cannot be sent as it was captured: {plainReason(data.reason ?? "")}.</p>}
      {!data.target_is_allowed && <NotAllowed target={asked.target} curl={data.curl ?? null} />}
      {request && (
        <details open className={styles.preview}>
          <summary>What is sent</summary>
          <pre className={styles.message}>
            {request.method} <Text text={request.url} />
            {"\n"}
            {Object.entries(request.headers).flatMap(([name, values]) =>
              values.map((value, index) => (
                <span key={`${name} ${index}`}>
                  {name}: {masked.headers.includes(name) ? <span className="quiet">the value above</span> : <Text text={value} name={name} />}
                  {"\n"}
                </span>
              )),
            )}
            {request.body !== "" && (
              <>
                {"\n"}
                <Text text={request.body} />
              </>
            )}
          </pre>
        </details>
      )}
    </div>
  );
}

/** A server that sends anything anywhere is a way into networks that only it reaches, so it asks its operator. */
function NotAllowed({ target, curl }: { target: string; curl: string | null }) {
  const command = `lookback serve --replay-targets ${target}`;
  return (
    <div className={styles.notice} role="note">
      <p>
        <strong>This server does not send to {target}.</strong> It sends only to servers that its operator names when it starts, and by default to none:
      </p>
      <p className={styles.command}>
        <code>{command}</code> <Copy text={command} />
      </p>
      {curl !== null && (
        <p>
          Or send it yourself: <Copy text={curl}>Copy as curl</Copy>
        </p>
      )}
    </div>
  );
}

/** Shows the request as it would be sent, or why it cannot be. */
import { ApiError } from "../../../api/client";
import { Copy } from "../../../parts/Show";
import { Loading } from "../../../parts/State";
import { Text } from "../detail/Value";
import { plainReason, unfilled } from "./api";
import type { MaskedPlaces } from "./api";
import type { Preview } from "./usePreview";
import styles from "./Replay.module.css";

interface Props {
  preview: Preview;
  masked: MaskedPlaces;
  /** Whether what is sent is in sight; an answer below needs the room. */
  isOpen: boolean;
}

export function PreviewPart({ preview: { data, error, isOld, of }, masked, isOpen }: Props) {
  if (error) return <p className={styles.problem}>{error instanceof ApiError ? error.detail : String(error)}</p>;
  if (!data) return <Loading what="the request that would be sent" />;
  const { request } = data;
  return (
    <div style={{ opacity: isOld ? 0.6 : 1 }} aria-busy={isOld}>
      {/* What is masked is asked about above. */}
      {data.result === "not_sent" && (of.sendMasked || unfilled(masked, of).length === 0) && <p className={styles.problem}>It cannot be sent as it was captured: {plainReason(data.reason ?? "")}.</p>}
      {!data.target_is_allowed && <NotAllowed target={of.target} curl={data.curl ?? null} />}
      {request && (
        <details key={String(isOpen)} open={isOpen} className={styles.preview}>
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

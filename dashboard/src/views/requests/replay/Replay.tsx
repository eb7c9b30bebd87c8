/** Sends a captured request again: where to, what is sent, and how the answer differs. */
import { useMutation } from "@tanstack/react-query";
import { withoutCodes } from "../../../parts/text";
import { useState } from "react";
import { ApiError } from "../../../api/client";
import type { RequestSnapshot } from "../../../api/client";
import { useIsAdmin } from "../../../api/session";
import { Dialog } from "../../../parts/Dialog";
import { Empty } from "../../../parts/State";
import { header, isOutgoing } from "../snapshot";
import { Comparison } from "./Comparison";
import { Preview } from "./Preview";
import { SettingsForm } from "./SettingsForm";
import { isSafe, isTarget, maskedPlaces, plainReason, replay } from "./replay";
import type { Settings } from "./replay";
import { rememberTarget, rememberedTargets, useIgnored } from "./remembered";
import styles from "./Replay.module.css";

export function Replay({ record }: { record: RequestSnapshot }) {
  const isAdmin = useIsAdmin();
  if (!isAdmin)
    return (
      <Empty title="Only admins send requests again.">
        <span className="quiet">A replay makes the server send something. “Copy as curl”, above, gives you the command to send it yourself.</span>
      </Empty>
    );
  if (isOutgoing(record))
    return (
      <Empty title="The application sent this request itself.">
        <span className="quiet">Send the request again that caused it: it is on the time line, under “Calls”.</span>
      </Empty>
    );
  return <Form record={record} />;
}

function Form({ record }: { record: RequestSnapshot }) {
  const [settings, setSettings] = useState<Settings>(() => ({ target: rememberedTargets()[0] ?? "", headers: {}, query: {}, body: null, sendMasked: false }));
  const [ignored, setIgnored] = useIgnored(`${record.method} ${header(record.headers, "route") ?? record.path}`);
  const [isAsked, setAsked] = useState(false);
  const [isReady, setReady] = useState(false);
  const masked = maskedPlaces(record);
  const send = useMutation({
    mutationFn: () => replay(record, settings, masked, ignored, true),
    onSuccess: () => rememberTarget(settings.target),
  });
  const answer = send.data;
  const leftOut = masked.headers.filter((name) => (settings.headers[name] ?? "") === "");
  return (
    <div className={styles.replay}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isReady) return;
          if (isSafe(record.method)) send.mutate();
          else setAsked(true);
        }}
      >
        <SettingsForm record={record} masked={masked} settings={settings} onChange={setSettings} />
        {isTarget(settings.target) ? (
          <Preview record={record} settings={settings} masked={masked} onReady={setReady} />
        ) : (
          <p className="quiet small">{settings.target === "" ? "Nothing is sent before you choose a server and press “Send”." : "A target is a URL such as https://staging.example.com or http://localhost:3000."}</p>
        )}
        <p>
          <button type="submit" className="primary" disabled={!isReady || !isTarget(settings.target) || send.isPending}>
            {send.isPending ? "Sending …" : send.data ? "Send again" : "Send"}
          </button>{" "}
          {isTarget(settings.target) && !isReady && <span className="quiet small">Not yet: see above what it waits for.</span>}
        </p>
      </form>
      {send.isError && (
        <p role="alert" className={styles.problem}>
          {send.error instanceof ApiError ? send.error.detail : String(send.error)}
        </p>
      )}
      {answer && (answer.result === "failed" || answer.result === "not_sent") && (
        <p role="alert" className={styles.problem}>
          {answer.result === "failed" ? "No answer came: " : "It was not sent: "}
          {plainReason(answer.reason ?? "")}
        </p>
      )}
      {answer?.response && leftOut.length > 0 && (
        <p className="quiet small">
          Sent without {leftOut.join(", ")}, which {leftOut.length === 1 ? "was" : "were"} masked before {leftOut.length === 1 ? "it was" : "they were"} stored: the answer may differ for that alone. Fill in what is above, and send again.
        </p>
      )}
      {answer?.response && <Comparison record={record} answer={answer} ignored={ignored} onIgnore={setIgnored} />}
      {isAsked && (
        <Dialog title="Send the request" onClose={() => setAsked(false)}>
          <p>
            <strong>
              {record.method} may change data at {settings.target}.
            </strong>
          </p>
          <p className={styles.path}>
            <bdi>{withoutCodes(record.method)}</bdi> <bdi>{withoutCodes(record.path.slice(0, 500))}</bdi>
          </p>
          <p className={styles.buttons}>
            <button
              type="button"
              className="danger"
              onClick={() => {
                setAsked(false);
                send.mutate();
              }}
            >
              Send {record.method}
            </button>
            <button type="button" onClick={() => setAsked(false)}>
              Cancel
            </button>
          </p>
        </Dialog>
      )}
    </div>
  );
}

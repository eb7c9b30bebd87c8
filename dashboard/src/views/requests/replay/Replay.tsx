/** Sends a captured request again: where to, what is sent, and how the answer differs. */
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "../../../api/client";
import type { RequestSnapshot } from "../../../api/client";
import { useIsAdmin } from "../../../api/session";
import { useKeys } from "../../../frame/keys";
import { Dialog } from "../../../parts/Dialog";
import { PathAndQuery } from "../../../parts/PathAndQuery";
import { Empty } from "../../../parts/State";
import { shortLine } from "../../../parts/text";
import { header, isOutgoing } from "../snapshot";
import { Comparison } from "./Comparison";
import { PreviewPart } from "./Preview";
import { SettingsForm } from "./SettingsForm";
import { isSafe, isTarget, maskedPlaces, plainReason, replay, withheldHeaders } from "./api";
import type { ReplayAnswer, Settings } from "./api";
import { rememberTarget, rememberedTargets, useIgnored } from "./remembered";
import { Sender } from "./sending";
import type { Phase } from "./sending";
import { usePreview } from "./usePreview";
import { Withheld } from "./Withheld";
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
  const masked = maskedPlaces(record);
  const preview = usePreview(record, settings, masked);
  // The answer of before stays while the next one is on its way.
  const [last, setLast] = useState<{ answer: ReplayAnswer; sent: Settings } | null>(null);
  const send = useMutation({
    mutationFn: (sent: Settings) => replay(record, sent, masked, ignored, true),
    onSuccess: (answer, sent) => {
      rememberTarget(sent.target);
      setLast({ answer, sent });
    },
    onError: () => setLast(null),
  });
  const [phase, setPhase] = useState<Phase>({ kind: "idle" });
  const [sender] = useState(() => new Sender(setPhase));
  useEffect(() => () => sender.cancel(), [sender]);
  return (
    <div className={styles.replay}>
      <form
        aria-label="Replay"
        onSubmit={(event) => {
          event.preventDefault();
          if (isTarget(settings.target)) void sender.ask(settings, { preview: preview.read, send: send.mutateAsync, isSafe: isSafe(record.method) });
        }}
      >
        <SettingsForm
          record={record}
          masked={masked}
          settings={settings}
          onChange={(changed) => {
            // What was asked for was asked for with the settings of then.
            sender.cancel();
            setSettings(changed);
          }}
        />
        <Withheld names={withheldHeaders(masked, settings)} isInForm />
        {isTarget(settings.target) ? (
          <PreviewPart preview={preview} masked={masked} isOpen={last === null} />
        ) : (
          <p className="quiet small">{settings.target === "" ? "Nothing is sent before you choose a server and press “Send”." : "A target is a URL such as https://staging.example.com or http://localhost:3000."}</p>
        )}
        <SendButton phase={phase} isAgain={last !== null} onCancel={() => sender.cancel()} />
      </form>
      {send.isError && (
        <p role="alert" className={styles.problem}>
          {send.error instanceof ApiError ? send.error.detail : String(send.error)}
        </p>
      )}
      {last && (
        <div style={{ opacity: send.isPending ? 0.6 : 1 }} aria-busy={send.isPending}>
          <Answer record={record} answer={last.answer} leftOut={withheldHeaders(masked, last.sent)} ignored={ignored} onIgnore={setIgnored} />
        </div>
      )}
      {phase.kind === "asking" && <Question record={record} target={phase.settings.target} withheld={withheldHeaders(masked, phase.settings)} onSend={() => void sender.confirm(send.mutateAsync)} onCancel={() => sender.cancel()} />}
    </div>
  );
}

/** The button, and what it waits for. */
function SendButton({ phase, isAgain, onCancel }: { phase: Phase; isAgain: boolean; onCancel: () => void }) {
  const isWaiting = phase.kind === "waiting";
  return (
    <p className={styles.send}>
      {/* It keeps the focus while it does nothing. */}
      <button type="submit" className="primary" aria-disabled={isWaiting || phase.kind === "sending" || undefined}>
        {phase.kind === "sending" ? "Sending …" : isAgain ? "Send again" : "Send"}
      </button>
      {isWaiting && (
        <>
          <button type="button" title="Do not send it (Esc)" onClick={onCancel}>
            Cancel
          </button>
          <CancelKey onCancel={onCancel} />
        </>
      )}
      <span role="status" className="quiet small">
        {isWaiting && "It is sent as soon as it is known what is sent."}
        {phase.kind === "refused" && "It was not sent: see above."}
      </span>
    </p>
  );
}

/** Escape, from when the wait begins: it is in front of that of the panel, and works in the fields, too. */
function CancelKey({ onCancel }: { onCancel: () => void }) {
  useKeys([{ keys: "Escape", name: "Do not send the request", run: onCancel, inInputs: true }]);
  return null;
}

interface AnswerProps {
  record: RequestSnapshot;
  answer: ReplayAnswer;
  /** Masked headers that it went without. */
  leftOut: string[];
  ignored: string[];
  onIgnore: (rules: string[]) => void;
}

function Answer({ record, answer, leftOut, ignored, onIgnore }: AnswerProps) {
  return (
    <>
      {(answer.result === "failed" || answer.result === "not_sent") && (
        <p role="alert" className={styles.problem}>
          {answer.result === "failed" ? "No answer came: " : "It was not sent: "}
          {plainReason(answer.reason ?? "")}
        </p>
      )}
      {answer.response && leftOut.length > 0 && (
        <p className="quiet small">
          Sent without <bdi>{shortLine(leftOut.join(", "))}</bdi> (see above). The answer may differ for that reason alone.
        </p>
      )}
      {answer.response && <Comparison record={record} answer={answer} ignored={ignored} onIgnore={onIgnore} />}
    </>
  );
}

/** Asks before something is sent that may change data. */
function Question({ record, target, withheld, onSend, onCancel }: { record: RequestSnapshot; target: string; withheld: string[]; onSend: () => void; onCancel: () => void }) {
  const method = shortLine(record.method);
  return (
    <Dialog title="Send the request" onClose={onCancel}>
      <p>
        <strong>
          {method} may change data at {target}.
        </strong>
      </p>
      <p className={styles.path}>
        <bdi>{method}</bdi> <PathAndQuery request={record} />
      </p>
      <Withheld names={withheld} />
      <p className={styles.buttons}>
        <button type="button" className="danger" onClick={onSend}>
          Send {method}
        </button>
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
      </p>
    </Dialog>
  );
}

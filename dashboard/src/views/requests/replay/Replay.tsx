/** Sends a captured request again: where to, what is sent, and how the answer differs. */
import { useMutation } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { ApiError } from "../../../api/client";
import type { RequestSnapshot } from "../../../api/client";
import { useIsAdmin } from "../../../api/session";
import { useKeys } from "../../../frame/keys";
import { Dialog } from "../../../parts/Dialog";
import { PathAndQuery } from "../../../parts/PathAndQuery";
import { Time } from "../../../parts/Show";
import { Empty } from "../../../parts/State";
import { shortLine } from "../../../parts/text";
import { header, isOutgoing } from "../snapshot";
import { Comparison } from "./Comparison";
import { Places } from "./Masked";
import { PreviewPart } from "./Preview";
import { SettingsForm } from "./SettingsForm";
import { isSafe, isTarget, maskedPlaces, plainReason, replay, unfilled, withheldHeaders } from "./api";
import type { MaskedPlaces, Settings } from "./api";
import { rememberTarget, useIgnored } from "./remembered";
import { resultOf, useResult } from "./results";
import type { ReplayResult } from "./results";
import { Sender } from "./sending";
import type { Phase } from "./sending";
import { usePreview } from "./usePreview";
import { useSuggestion } from "./useTarget";
import { Withheld } from "./Withheld";
import styles from "./Replay.module.css";

interface Props {
  record: RequestSnapshot;
  /** Whether it was asked for just now: then its address has the focus. */
  hasFocus: boolean;
}

export function Replay({ record, hasFocus }: Props) {
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
  return <Form record={record} hasFocus={hasFocus} />;
}

function Form({ record, hasFocus }: Props) {
  // The answer of before stays while the next one is on its way.
  const [last, setLast] = useResult(record.id);
  const [ignored, setIgnored] = useIgnored(`${record.method} ${header(record.headers, "route") ?? record.path}`);
  const masked = useMemo(() => maskedPlaces(record), [record]);
  const suggestion = useSuggestion(record, masked);
  // The address is the suggested one until one types another; the suggestion may come later.
  const [typed, setTyped] = useState<Omit<Settings, "target"> & { target: string | null }>(() => ({ target: last?.target ?? null, headers: {}, query: {}, body: null, sendMasked: last?.sendMasked ?? false }));
  const suggested = suggestion?.target ?? "";
  const settings = useMemo((): Settings => ({ ...typed, target: typed.target ?? suggested }), [suggested, typed]);
  const isBlocked = !settings.sendMasked && unfilled(masked, settings).length > 0;
  const consent = useRef<HTMLInputElement>(null);
  const preview = usePreview(record, settings, masked);
  const send = useMutation({
    mutationFn: (sent: Settings) => replay(record, sent, masked, ignored, true),
    onSuccess: (answer, sent) => {
      rememberTarget(sent.target);
      setLast(resultOf(answer, sent, withheldHeaders(masked, sent)));
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
          if (isBlocked) consent.current?.focus();
          else if (isTarget(settings.target)) void sender.ask(settings, { preview: preview.read, send: send.mutateAsync, isSafe: isSafe(record.method) });
        }}
      >
        <SettingsForm
          record={record}
          masked={masked}
          settings={settings}
          suggestion={suggestion}
          hasFocus={hasFocus}
          consent={consent}
          onChange={(changed) => {
            // What was asked for was asked for with the settings of then.
            sender.cancel();
            setTyped({ ...changed, target: changed.target === settings.target ? typed.target : changed.target });
          }}
        />
        <Withheld names={withheldHeaders(masked, settings)} isInForm />
        {isTarget(settings.target) ? (
          <PreviewPart preview={preview} masked={masked} isOpen={last === null} />
        ) : (
          <p className="quiet small">{settings.target === "" ? "Nothing is sent before you choose a server and press “Send”." : "A target is a URL such as https://staging.example.com or http://localhost:3000."}</p>
        )}
        <SendButton phase={phase} isBlocked={isBlocked} isAgain={last !== null} onCancel={() => sender.cancel()} />
      </form>
      {send.isError && (
        <p role="alert" className={styles.problem}>
          {send.error instanceof ApiError ? send.error.detail : String(send.error)}
        </p>
      )}
      {last && (
        <div style={{ opacity: send.isPending ? 0.6 : 1 }} aria-busy={send.isPending}>
          <Answer record={record} result={last} ignored={ignored} onIgnore={setIgnored} />
        </div>
      )}
      {phase.kind === "asking" && <Question record={record} settings={phase.settings} masked={masked} onSend={() => void sender.confirm(send.mutateAsync)} onCancel={() => sender.cancel()} />}
    </div>
  );
}

/** The button, and what it waits for. */
function SendButton({ phase, isBlocked, isAgain, onCancel }: { phase: Phase; isBlocked: boolean; isAgain: boolean; onCancel: () => void }) {
  const isWaiting = phase.kind === "waiting";
  return (
    <p className={styles.send}>
      {/* It keeps the focus while it does nothing. */}
      <button type="submit" className="primary" aria-disabled={isBlocked || isWaiting || phase.kind === "sending" || undefined}>
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
        {isBlocked && phase.kind === "idle" && "Masked values have to be filled in, or sent as [masked]: see above."}
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
  result: ReplayResult;
  ignored: string[];
  onIgnore: (rules: string[]) => void;
}

function Answer({ record, result: { answer, target, at, leftOut }, ignored, onIgnore }: AnswerProps) {
  return (
    <>
      {(answer.result === "failed" || answer.result === "not_sent") && (
        <p role="alert" className={styles.problem}>
          {answer.result === "failed" ? "No answer came: " : "It was not sent: "}
          {plainReason(answer.reason ?? "")}
        </p>
      )}
      <p className="quiet small">
        Sent to <bdi>{target}</bdi> at <Time at={at} />.
      </p>
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
function Question({ record, settings, masked, onSend, onCancel }: { record: RequestSnapshot; settings: Settings; masked: MaskedPlaces; onSend: () => void; onCancel: () => void }) {
  const method = shortLine(record.method);
  const asText = unfilled(masked, settings);
  return (
    <Dialog title="Send the request" onClose={onCancel}>
      <p>
        <strong>
          {method} may change data at {settings.target}.
        </strong>
      </p>
      <p className={styles.path}>
        <bdi>{method}</bdi> <PathAndQuery request={record} />
      </p>
      <Withheld names={withheldHeaders(masked, settings)} />
      {asText.length > 0 && (
        <p className={styles.withheld} role="note">
          <span aria-hidden>⚠ </span>
          <strong>
            <Places names={asText} /> {asText.length === 1 ? "is" : "are"} sent as the text [masked]
          </strong>
          , not as the {asText.length === 1 ? "value that was" : "values that were"} captured.
        </p>
      )}
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

/** Where a request is sent, and the values that were masked. */
import { useEffect, useId, useRef } from "react";
import type { Ref } from "react";
import type { RequestSnapshot } from "../../../api/client";
import { bodyText, capturedTargets, unfilled } from "./api";
import type { MaskedPlaces, Settings } from "./api";
import { MaskedConsent } from "./Masked";
import { rememberedTargets } from "./remembered";
import type { Suggestion } from "./useTarget";
import styles from "./Replay.module.css";

interface Props {
  record: RequestSnapshot;
  masked: MaskedPlaces;
  settings: Settings;
  /** What stands in the address without anybody's choice of now. */
  suggestion: Suggestion | null;
  /** Whether the form was asked for just now, and takes the focus. */
  hasFocus: boolean;
  consent: Ref<HTMLInputElement>;
  onChange: (settings: Settings) => void;
}

export function SettingsForm({ record, masked, settings, suggestion, hasFocus, consent, onChange }: Props) {
  const id = useId();
  const address = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (hasFocus) takeFocus(address.current);
  }, [hasFocus]);
  const set = (changed: Partial<Settings>) => onChange({ ...settings, ...changed });
  return (
    <div className={styles.settings}>
      <label className={styles.line}>
        <span>
          Send it to {suggestion?.target === settings.target && <span className="quiet small">{suggestion.why}</span>}
        </span>
        <input ref={address} type="url" required className="data" list={`${id}-targets`} placeholder="https://staging.example.com" spellCheck={false} value={settings.target} onChange={(event) => set({ target: event.target.value.trim() })} />
      </label>
      <datalist id={`${id}-targets`}>
        {[...new Set([...rememberedTargets(), ...capturedTargets(record)])].map((target) => (
          <option key={target} value={target} />
        ))}
      </datalist>
      {masked.headers.map((name) => (
        <MaskedInput key={name} kind="Header" name={name} hint="not stored: left out unless you fill it in" value={settings.headers[name] ?? ""} onChange={(value) => set({ headers: { ...settings.headers, [name]: value } })} />
      ))}
      {masked.query.map((name) => (
        <MaskedInput key={name} kind="Parameter" name={name} hint="not stored: fill it in" value={settings.query[name] ?? ""} onChange={(value) => set({ query: { ...settings.query, [name]: value } })} />
      ))}
      {settings.body === null ? (
        <p>
          <button type="button" onClick={() => set({ body: bodyText(record) })}>
            Change the body
          </button>
        </p>
      ) : (
        <label>
          <span>
            Body{" "}
            <button type="button" onClick={() => set({ body: null })}>
              Use the body as captured
            </button>
          </span>
          <textarea className="data" rows={8} spellCheck={false} value={settings.body} onChange={(event) => set({ body: event.target.value })} />
        </label>
      )}
      <MaskedConsent places={unfilled(masked, settings)} isSent={settings.sendMasked} onSend={(sendMasked) => set({ sendMasked })} box={consent} />
    </div>
  );
}

/** Who goes through the tabs by arrows stays on them, and a keyboard on the glass hides what is sent. */
function takeFocus(address: HTMLInputElement | null): void {
  if (matchMedia("(pointer: coarse)").matches || document.activeElement?.matches("[role=tab]:focus-visible")) return;
  address?.focus({ preventScroll: true });
  // What is typed takes the place of a suggestion.
  address?.select();
}

function MaskedInput({ kind, name, hint, value, onChange }: { kind: string; name: string; hint: string; value: string; onChange: (value: string) => void }) {
  return (
    <label className={styles.line}>
      <span>
        {kind} <code>{name}</code> <span className="quiet small">masked</span>
      </span>
      {/* The value of a secret: no browser keeps it, nobody reads it over a shoulder. */}
      <input type="password" className="data" autoComplete="off" placeholder={hint} value={value} onChange={(event) => onChange(event.target.value)} />
    </label>
  );
}

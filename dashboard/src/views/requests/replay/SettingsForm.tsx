/** Where a request is sent, and the values that were masked. */
import { useId, useState } from "react";
import type { RequestSnapshot } from "../../../api/client";
import { bodyText } from "./api";
import type { MaskedPlaces, Settings } from "./api";
import { rememberedTargets } from "./remembered";
import styles from "./Replay.module.css";

interface Props {
  record: RequestSnapshot;
  masked: MaskedPlaces;
  settings: Settings;
  onChange: (settings: Settings) => void;
}

export function SettingsForm({ record, masked, settings, onChange }: Props) {
  const id = useId();
  const [kept] = useState(() => rememberedTargets()[0] ?? "");
  // The browser remembers where requests were sent: what stands there is nobody's choice of now.
  const isKept = settings.target !== "" && settings.target === kept;
  const set = (changed: Partial<Settings>) => onChange({ ...settings, ...changed });
  return (
    <div className={styles.settings}>
      <label className={styles.line}>
        <span>
          Send it to {isKept && <span className="quiet small">kept from your last replay</span>}
        </span>
        <input type="url" required className="data" list={`${id}-targets`} placeholder="https://staging.example.com" spellCheck={false} value={settings.target} onChange={(event) => set({ target: event.target.value.trim() })} />
      </label>
      <datalist id={`${id}-targets`}>
        {rememberedTargets().map((target) => (
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
          {masked.body > 0 && <span className="quiet small"> {masked.body} of its values are masked.</span>}
        </p>
      ) : (
        <label>
          <span>
            Body{" "}
            <button type="button" className="plain small" onClick={() => set({ body: null })}>
              as captured
            </button>
          </span>
          <textarea className="data" rows={8} spellCheck={false} value={settings.body} onChange={(event) => set({ body: event.target.value })} />
        </label>
      )}
      {(masked.body > 0 || masked.query.length > 0) && (
        <label className={styles.check}>
          <input type="checkbox" checked={settings.sendMasked} onChange={(event) => set({ sendMasked: event.target.checked })} />
          Send masked values as the text [masked]
        </label>
      )}
    </div>
  );
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

/** The keys that work now, by what they belong to. */
import { Dialog } from "../parts/Dialog";
import { nameKeys } from "./sequence";
import { useAllKeys } from "./keys";
import type { KeyAction } from "./keys";
import styles from "./KeysHelp.module.css";

const FIRST = "This view";
const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);

function groupOf(key: KeyAction): string {
  return key.group ?? FIRST;
}

export function KeysHelp({ onClose }: { onClose: () => void }) {
  const keys = useAllKeys();
  // What only this view has comes first.
  const names = [...new Set(keys.map(groupOf))].toSorted((a, b) => Number(b === FIRST) - Number(a === FIRST));
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <div className={styles.head}>
        <h2>Keyboard</h2>
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
      <div className={styles.groups}>
        {names.map((name) => (
          <section key={name} aria-label={name}>
            <h3 className="quiet small">{name}</h3>
            <dl>
              {keys.filter((key) => groupOf(key) === name).map((key) => (
                <div key={key.keys} className={styles.key}>
                  <dt>
                    <Keys keys={key.keys} />
                  </dt>
                  <dd>{key.name}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

/** Keys as one reads them on the keyboard. */
export function Keys({ keys }: Pick<KeyAction, "keys">) {
  return nameKeys(keys, IS_MAC).map((press, index) => (
    <span key={index}>
      {index > 0 && <span className="quiet small"> then </span>}
      {press.map((key) => (
        <kbd key={key} className={styles.cap}>
          {key}
        </kbd>
      ))}
    </span>
  ));
}

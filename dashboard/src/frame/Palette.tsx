/** Finds anything by its name: views, searches, endpoints, records and actions. */
import { useId, useState } from "react";
import type { KeyboardEvent } from "react";
import { Dialog } from "../parts/Dialog";
import { shortLine } from "../parts/text";
import { Keys } from "./KeysHelp";
import { best } from "./match";
import { usePaletteItems } from "./palette-items";
import type { Actions, Item } from "./palette-items";
import styles from "./Palette.module.css";

const MOST = 40;

export function Palette({ onClose, ...actions }: Actions & { onClose: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  const { items, named, isLoading } = usePaletteItems(text, actions);
  const found = [...named, ...best(items, text, ({ name, also }) => [name, also], MOST)];
  const active = Math.min(at, found.length - 1);

  function run(item: Item | undefined): void {
    if (!item) return;
    onClose();
    item.run();
  }

  function press(event: KeyboardEvent): void {
    if (event.nativeEvent.isComposing) return;
    const next = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: Math.min(active + 10, found.length - 1), PageUp: Math.max(active - 10, 0) }[event.key];
    if (next !== undefined && found.length > 0) {
      event.preventDefault();
      const to = (next + found.length) % found.length;
      setAt(to);
      document.getElementById(`${id}${to}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(found[active]);
    } else if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      onClose();
    }
  }

  return (
    <Dialog title="Find anything" onClose={onClose}>
      <div className={styles.palette}>
        <input
          role="combobox"
          aria-label="Find a view, a search, an endpoint or an action"
          aria-expanded
          aria-controls={`${id}list`}
          aria-autocomplete="list"
          aria-activedescendant={found.length > 0 ? `${id}${active}` : undefined}
          placeholder="view, search, endpoint, action, or: log 123"
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
          }}
          onKeyDown={press}
        />
        <div id={`${id}list`} role="listbox" aria-label="Found" className={styles.list}>
          {found.map((item, index) => (
            // Keys are those of the input, which keeps the focus.
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events
            <div
              key={item.id}
              id={`${id}${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === active}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => run(item)}
            >
              <span className="quiet small">{item.group}</span>{" "}
              <bdi>{shortLine(item.name, 200)}</bdi>
              <span>{item.keys !== undefined && <Keys keys={item.keys} />}</span>
            </div>
          ))}
        </div>
        <p role="status" className="quiet small">
          {found.length === 0 ? (isLoading ? "Looking for endpoints …" : "Nothing has this name.") : found.length === MOST ? `The first ${MOST} matches` : `${found.length} ${found.length === 1 ? "match" : "matches"}`}
        </p>
      </div>
    </Dialog>
  );
}

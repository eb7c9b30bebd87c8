/** Keys of the page, and the list of them behind `?`. */
import { createContext, useContext, useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";

/** What a key does. `keys` is `j`, `Enter`, `Escape`, `?`, `mod+k` (⌘ or Ctrl). */
export interface KeyAction {
  keys: string;
  /** What it does, as the list of keys says it. */
  name: string;
  run: (event: KeyboardEvent) => void;
  /** Whether it works while one types, too. */
  inInputs?: boolean;
}

/** The parts with keys, the last that was added first: what is in front has the key. */
class Registry {
  private groups: React.RefObject<KeyAction[]>[] = [];

  get actions(): KeyAction[] {
    return this.groups.flatMap((group) => group.current);
  }

  add(group: React.RefObject<KeyAction[]>): () => void {
    this.groups = [group, ...this.groups];
    return () => {
      this.groups = this.groups.filter((other) => other !== group);
    };
  }
}

const KeysContext = createContext<Registry | null>(null);

export function KeysProvider({ children }: { children: ReactNode }) {
  const [registry] = useState(() => new Registry());
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const isTyped = isTyping(event.target);
      const keys = keysOf(event);
      // A dialog has its own keys, and closes itself.
      if (document.querySelector("dialog[open]")) return;
      const action = registry.actions.find((one) => one.keys === keys && (!isTyped || one.inInputs === true));
      // Enter presses what has the focus.
      if (!action || (keys === "Enter" && event.target instanceof Element && event.target.closest("button, a, summary"))) return;
      event.preventDefault();
      action.run(event);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [registry]);
  return <KeysContext.Provider value={registry}>{children}</KeysContext.Provider>;
}

function keysOf(event: KeyboardEvent): string {
  const mod = event.metaKey || event.ctrlKey ? "mod+" : "";
  const shift = event.shiftKey && event.key.length > 1 ? "shift+" : "";
  return `${mod}${shift}${event.key.length === 1 && mod ? event.key.toLowerCase() : event.key}`;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}

/** Adds keys while the part that calls it is shown. */
export function useKeys(actions: KeyAction[]): void {
  const registry = useContext(KeysContext);
  const current = useRef(actions);
  useEffect(() => {
    current.current = actions;
  });
  useEffect(() => registry?.add(current), [registry]);
}

/** All keys that work now. */
export function useAllKeys(): KeyAction[] {
  return useContext(KeysContext)?.actions ?? [];
}

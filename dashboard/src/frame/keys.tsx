/** Keys of the page, and the list of them behind `?`. */
import { createContext, useContext, useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import { keysInFront, nextKeys } from "./sequence";

/** What a key does; without `run` the focused part does it by itself, and the list of keys says so. `keys` is `j`, `Enter`, `Escape`, `?`, `mod+k` (⌘ or Ctrl), or `g l` (one, then the other). */
export interface KeyAction {
  keys: string;
  /** What it does, as the list of keys says it. */
  name: string;
  /** Under which title the list has it; `This view` without one. */
  group?: string;
  run?: (event: KeyboardEvent) => void;
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

/** What takes Enter by itself. */
const PRESSED = 'button, a, summary, tr, [role=treeitem], [tabindex="0"]:not([role=listbox])';

/** What moves, or scrolls, by the arrows up and down itself. */
const HAS_ARROWS = "input, select, textarea, [role=slider], [role=tree], [role=tablist], [role=menu], [role=separator], [data-has-arrows]";

/** How long the second key of two may take. */
const SEQUENCE_MS = 1000;

export function KeysProvider({ children }: { children: ReactNode }) {
  const [registry] = useState(() => new Registry());
  useEffect(() => {
    let before = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
      // A dialog has its own keys, and closes itself; so does what is open above the page.
      if (document.querySelector("dialog[open], :popover-open")) return;
      const isArrow = event.key === "ArrowDown" || event.key === "ArrowUp";
      if (isArrow && event.target instanceof Element && event.target.closest(HAS_ARROWS)) return;
      const isTyped = isTyping(event.target);
      const actions = registry.actions.filter((one) => one.run !== undefined && (!isTyped || one.inInputs === true));
      const next = nextKeys(before, keysOf(event), actions.map((one) => one.keys));
      clearTimeout(timer);
      before = next.before;
      if (before !== "") {
        timer = setTimeout(() => {
          before = "";
        }, SEQUENCE_MS);
        event.preventDefault();
      }
      const action = actions.find((one) => one.keys === next.found);
      // Enter presses what has the focus; where nothing has it, and in a list, it is a key of the view.
      if (!action || (action.keys === "Enter" && event.target instanceof Element && event.target.closest(PRESSED))) return;
      event.preventDefault();
      action.run?.(event);
    };
    document.addEventListener("keydown", listen);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("keydown", listen);
    };
  }, [registry]);
  return <KeysContext.Provider value={registry}>{children}</KeysContext.Provider>;
}

function keysOf(event: KeyboardEvent): string {
  const mod = event.metaKey || event.ctrlKey ? "mod+" : "";
  const alt = event.altKey ? "alt+" : "";
  const shift = event.shiftKey && event.key.length > 1 ? "shift+" : "";
  return `${mod}${alt}${shift}${event.key.length === 1 && mod ? event.key.toLowerCase() : event.key}`;
}

/** Fields in which letters are text; boxes and buttons to tick are none. */
function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button", "submit", "range"].includes(target.type);
  return target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName);
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
  return keysInFront(useContext(KeysContext)?.actions ?? []);
}

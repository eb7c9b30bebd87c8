/** Keys pressed in turn, such as `g l`. */

/** What a key completes (`found`), or what it begins (`before`), after the keys before it. */
export function nextKeys(before: string, pressed: string, known: readonly string[]): { found: string; before: string } {
  const isKnown = (keys: string) => known.includes(keys);
  const isBegun = (keys: string) => known.some((one) => one.startsWith(`${keys} `));
  const both = before === "" ? pressed : `${before} ${pressed}`;
  // A key by itself does not wait for a second, and may begin two all the same.
  if (isKnown(both)) return { found: both, before: isBegun(both) ? both : "" };
  if (isBegun(both)) return { found: "", before: both };
  if (before === "") return { found: "", before: "" };
  return nextKeys("", pressed, known);
}

interface Listed {
  keys: string;
  group?: string;
  run?: unknown;
}

/** Each key once: of those that run, the one in front has it. Those of a focused part are listed once in their group. */
export function keysInFront<T extends Listed>(actions: readonly T[]): T[] {
  const isSame = (one: Listed, other: Listed) => other.keys === one.keys && ((one.run !== undefined && other.run !== undefined) || one.group === other.group);
  return actions.filter((one, index) => actions.findIndex((other) => isSame(one, other)) === index);
}

const NAMES: Record<string, string> = {
  Enter: "Enter",
  Escape: "Esc",
  Tab: "Tab",
  Home: "Home",
  End: "End",
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
  " ": "Space",
  PageDown: "Page down",
  PageUp: "Page up",
};

/** The keys as a person reads them: `⌘ K` or `Ctrl K`, `g then l`. */
export function nameKeys(keys: string, isMac: boolean): string[][] {
  const presses = keys === " " ? [keys] : keys.split(" ");
  return presses.map((press) => {
    const parts = press === "+" ? [press] : press.split("+");
    const key = parts.at(-1) ?? press;
    const hasMod = parts.includes("mod");
    const modifiers = parts.slice(0, -1).map((one) => ({ mod: isMac ? "⌘" : "Ctrl", alt: isMac ? "⌥" : "Alt", shift: isMac ? "⇧" : "Shift" })[one] ?? one);
    const isCapital = /^\p{Lu}$/u.test(key);
    return [...modifiers, ...(isCapital && !hasMod ? [isMac ? "⇧" : "Shift"] : []), NAMES[key] ?? (hasMod ? key.toUpperCase() : key)];
  });
}

/** Values that were masked before they were stored: `[masked]`, or `[masked:9f86d081884c7d65]` with a hash. */
const MASKED = /\[masked(?::([0-9a-f]{16}))?\]/g;

export interface Part {
  text: string;
  isMasked: boolean;
  /** Equal secrets have equal hashes, where capture makes them. */
  hash: string | null;
}

/** Cuts a text into what is stored, and the places of secrets. */
export function splitMasked(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(MASKED)) {
    if (match.index > at) parts.push({ text: text.slice(at, match.index), isMasked: false, hash: null });
    parts.push({ text: match[0], isMasked: true, hash: match[1] ?? null });
    at = match.index + match[0].length;
  }
  if (at < text.length || parts.length === 0) parts.push({ text: text.slice(at), isMasked: false, hash: null });
  return parts;
}

export function isMasked(value: unknown): boolean {
  return typeof value === "string" ? /\[masked(:[0-9a-f]{16})?\]/.test(value) : Array.isArray(value) && value.some(isMasked);
}

/** How many values of a body are masked; it stops at `most` values, since bodies can be large. */
export function countMasked(value: unknown, most = 20_000): number {
  let found = 0;
  let seen = 0;
  const stack = [value];
  while (stack.length > 0 && seen++ < most) {
    const one = stack.pop();
    if (typeof one === "string") found += isMasked(one) ? 1 : 0;
    else if (typeof one === "object" && one !== null) {
      for (const part of Object.values(one as Record<string, unknown>)) if (stack.length < most) stack.push(part);
    }
  }
  return found;
}

/** By which rule a value was masked, as far as the value shows it. */
export function ruleOf(name: string | null, text: string): string {
  const isNamed = name !== null && (/^\[masked(:[0-9a-f]{16})?\]$/.test(text) || /^(proxy-)?authorization$|cookie$/i.test(name));
  return isNamed ? `because of its name, ${name}` : "because it has the form of a secret";
}

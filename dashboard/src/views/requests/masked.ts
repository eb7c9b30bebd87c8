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

/** How many values of a body are masked. */
export function countMasked(value: unknown): number {
  return maskedIn(value).length;
}

/** The places of the masked values of a body, such as `$.card.number`; it stops at `most` values, since bodies can be large. */
export function maskedIn(value: unknown, most = 20_000): string[] {
  const found: string[] = [];
  const left: { value: unknown; place: string }[] = [{ value, place: "$" }];
  let seen = 0;
  for (let one = left.pop(); one !== undefined && seen++ < most; one = left.pop()) {
    if (typeof one.value === "string") {
      if (isMasked(one.value)) found.push(one.place);
    } else if (typeof one.value === "object" && one.value !== null) {
      const { place, value: whole } = one;
      const isList = Array.isArray(whole);
      // The last comes off first: places are in the order of the body.
      for (const [key, part] of Object.entries(whole as Record<string, unknown>).reverse()) if (left.length < most) left.push({ value: part, place: place + (isList ? `[${key}]` : memberOf(key)) });
    }
  }
  return found;
}

/** A member as places name it: `.name`, or `["a name"]`. */
export function memberOf(key: string): string {
  return /^[A-Za-z_][\w-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** By which rule a value was masked, as far as the value shows it. */
export function ruleOf(name: string | null, text: string): string {
  const isNamed = name !== null && (/^\[masked(:[0-9a-f]{16})?\]$/.test(text) || /^(proxy-)?authorization$|cookie$/i.test(name));
  return isNamed ? `because of its name, ${name}` : "because it has the form of a secret";
}

/** How well a name fits what is typed: every word of it must be found, in any order. */

/** The rank of a name: lower is better, null does not fit. `isLoose` has initials and letters in their order, too. */
export function rank(name: string, typed: string, isLoose = true): number | null {
  const lower = name.toLowerCase();
  let sum = 0;
  for (const word of typed.toLowerCase().split(/\s+/).filter(Boolean)) {
    const one = rankOfWord(lower, word, isLoose);
    if (one === null) return null;
    sum += one;
  }
  return sum;
}

/** The whole name, its beginning, the beginning of a word, a part, initials, and letters in their order. */
function rankOfWord(name: string, word: string, isLoose: boolean): number | null {
  if (name === word) return 0;
  const at = name.indexOf(word);
  if (at === 0) return 1;
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (words.some((one) => one.startsWith(word))) return 2;
  if (at > 0) return 3;
  if (!isLoose) return null;
  if (words.map((one) => one[0]).join("").startsWith(word)) return 4;
  // A letter or two fit everything.
  return word.length > 2 && hasInOrder(name, word) ? 5 : null;
}

function hasInOrder(name: string, letters: string): boolean {
  let from = 0;
  for (const letter of letters) {
    const at = name.indexOf(letter, from);
    if (at < 0) return false;
    from = at + letter.length;
  }
  return true;
}

/** What finds a name by other words counts less than what stands in it. */
const OF_OTHER_WORDS = 0.5;

/** The rank of a name that has other words, too, such as `sign out` for `Log out`. */
export function rankWith(name: string, also: string | undefined, typed: string): number | null {
  const own = rank(name, typed);
  // Many words have any letters in their order.
  const other = also === undefined ? null : rank(`${name} ${also}`, typed, false);
  if (own === null) return other === null ? null : other + OF_OTHER_WORDS;
  return other === null ? own : Math.min(own, other + OF_OTHER_WORDS);
}

/** Those that fit, the best first, and equal ones in their order. */
export function best<T>(all: readonly T[], typed: string, of: (one: T) => [name: string, also?: string | undefined], most: number): T[] {
  return all
    .map((one) => {
      const [name, also] = of(one);
      return { one, rank: rankWith(name, also, typed) };
    })
    .filter((found): found is { one: T; rank: number } => found.rank !== null)
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, most)
    .map(({ one }) => one);
}

export type Target = { kind: "log" | "request"; id: string } | { kind: "trace"; id: string };

/** Records that a text names: `log 123`, `open request 45`, `trace 4bf9…`, or only the number. */
export function targetsOf(typed: string): Target[] {
  const text = typed.trim().replace(/^open\s+/i, "");
  const named = /^(log|request|trace)s?\s+#?(\S+)$/i.exec(text);
  const [, kind = "", id = ""] = named ?? [];
  if (/^trace$/i.test(kind)) return isTrace(id) ? [{ kind: "trace", id: id.toLowerCase() }] : [];
  if (named) return isId(id) ? [{ kind: kind.toLowerCase() === "log" ? "log" : "request", id }] : [];
  if (isId(text)) {
    return [
      { kind: "request", id: text },
      { kind: "log", id: text },
    ];
  }
  return /^[0-9a-f]{32}$/i.test(text) ? [{ kind: "trace", id: text.toLowerCase() }] : [];
}

function isId(text: string): boolean {
  return /^[1-9]\d{0,17}$/.test(text);
}

/** A trace of OpenTelemetry has 32 digits; other programs have their own. */
function isTrace(text: string): boolean {
  return /^[\w.-]{4,128}$/.test(text);
}

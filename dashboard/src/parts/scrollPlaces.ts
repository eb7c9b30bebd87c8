/** Where lists were scrolled to, so that going back finds them there. */

const places = new Map<string, number>();
/** How many are remembered: the last ones. */
const MOST = 200;

/** What the rows of a list answer. */
export interface Answered {
  /** The search: rows of another one begin at the top. */
  question: string;
  /** Tells the answers to the same question apart: what was scrolled to in one is elsewhere in the next. */
  version: number;
}

const keyOf = ({ question, version }: Answered) => `${version}\n${question}`;

export function keepPlace(answered: Answered, top: number): void {
  const key = keyOf(answered);
  places.delete(key);
  if (top > 0) places.set(key, top);
  const [first] = places.keys();
  if (places.size > MOST && first !== undefined) places.delete(first);
}

export function placeOf(answered: Answered): number | null {
  return places.get(keyOf(answered)) ?? null;
}

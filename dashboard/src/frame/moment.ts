/**
 * When a range until now ends. All that a view shows ends at one moment. It goes on with another question: another
 * view, search or range. What belongs to the same question, such as a row that is opened, moves nothing; and going
 * back shows what was shown there, as long as its answers are likely to be kept.
 */

/** A place of the history of the browser, and what is asked there. */
export interface Place {
  entry: string;
  /** The view, the search and the range. */
  question: string;
}

export interface Moment extends Place {
  now: Date;
  /** The moments of places of before, by their entry. */
  past: ReadonlyMap<string, { question: string; now: Date }>;
}

/** How long going back shows what was there. Answers that are not used are kept as long. */
export const KEPT_MS = 300_000;
/** How many places are remembered. */
const MOST = 200;

export function startMoment(place: Place, now: Date): Moment {
  return { ...place, now, past: new Map([[place.entry, { question: place.question, now }]]) };
}

/** The moment of a place that one comes to. */
export function moveTo(before: Moment, place: Place, now: Date): Moment {
  if (place.question === before.question) return remember({ ...before, entry: place.entry });
  const known = before.past.get(place.entry);
  const isKept = known?.question === place.question && now.getTime() - known.now.getTime() < KEPT_MS;
  return remember({ ...before, ...place, now: isKept ? known.now : now });
}

/** The same place, up to now. */
export function goOn(before: Moment, now: Date): Moment {
  return remember({ ...before, now });
}

function remember(moment: Moment): Moment {
  const { entry, question, now, past } = moment;
  const kept = [...past].filter(([other]) => other !== entry).slice(1 - MOST);
  return { ...moment, past: new Map([...kept, [entry, { question, now }]]) };
}

/** Versions that were first seen in a period: deploys, as far as requests tell. */

export interface VersionRow {
  by: { version: string | null };
  of: { count: number; timestamp__min: string | null };
}

export interface Deploy {
  at: number;
  name: string;
  requests: number;
  note: string;
}

/** How many marks a chart has: the newest. */
const MOST = 20;

/**
 * The versions first seen after `from`, of rows that also count the period before. If there is no
 * version before, the first one is where the records begin, and no deploy.
 */
export function deploys(rows: VersionRow[], from: number): Deploy[] {
  const seen = rows.flatMap(({ by: { version }, of }) => {
    const at = new Date(of.timestamp__min ?? NaN).getTime();
    return version === null || version === "" || Number.isNaN(at) ? [] : [{ at, name: version, requests: of.count, note: "first seen" }];
  });
  seen.sort((a, b) => a.at - b.at);
  return seen.slice(1).filter((one) => one.at >= from).slice(-MOST);
}

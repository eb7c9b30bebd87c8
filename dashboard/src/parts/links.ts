/** The address of what is shown with the times of its range, which then stay the same whenever it is opened. */
import { formatRange } from "../time/range";

export function withTimes(address: string, from: Date, until: Date): string {
  const url = new URL(address);
  url.searchParams.set("range", formatRange({ kind: "between", from, until }));
  // What is live ends now, and not then.
  url.searchParams.delete("live");
  return url.href;
}

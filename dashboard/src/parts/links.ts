/** Addresses to share. */
import { formatRange } from "../time/range";

/** The address of what is shown with the times of its range, which then stay the same whenever it is opened. */
export function withTimes(address: string, from: Date, until: Date): string {
  const url = new URL(address);
  url.searchParams.set("range", formatRange({ kind: "between", from, until }));
  // What is live ends now, and not then.
  url.searchParams.delete("live");
  return url.href;
}

/** The address of a view without the record that is open in it. */
export function withoutOpen(address: string): string {
  const url = new URL(address);
  for (const name of ["open", "tab", "copies"]) url.searchParams.delete(name);
  return url.href;
}

/** When a key expires. */
export type Expiry = "never" | "30" | "90" | "365" | "date";

export const EXPIRIES: [Expiry, string][] = [
  ["never", "Never"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "1 year"],
  ["date", "On a day"],
];

/** The time that is sent. A day, `2027-01-31`, is over at its end in the local zone. */
export function expiresAt(expiry: Expiry, day: string, now = new Date()): string | null {
  if (expiry === "never") return null;
  if (expiry === "date") {
    const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
    return new Date(year, month - 1, date + 1).toISOString();
  }
  return new Date(now.getTime() + Number(expiry) * 86_400_000).toISOString();
}

/** Today as a field of a form has it. */
export function today(now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

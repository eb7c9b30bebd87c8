/** The last searches, kept by the browser. */
const KEY = "lookback.searches";
const MOST = 20;

/** The last searches, the newest first. */
export function recentSearches(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}

export function rememberSearch(text: string): void {
  if (text === "") return;
  try {
    localStorage.setItem(KEY, JSON.stringify(addSearch(recentSearches(), text)));
  } catch {
    // A browser that keeps nothing has no history.
  }
}

/** The list with a search in front; each stands in it once. */
export function addSearch(before: readonly string[], text: string): string[] {
  return [text, ...before.filter((one) => one !== text)].slice(0, MOST);
}

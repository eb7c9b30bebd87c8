/** A short text that others wrote, in one line: cut, without signs that move others or are not seen. */

/** The most characters that are shown. */
const MOST = 200;

export function Name({ text, most = MOST }: { text: string; most?: number }) {
  const shown = plain(text.slice(0, most * 4));
  const cut = shown.length > most ? `${shown.slice(0, most)}…` : shown;
  return <bdi title={shown.length > 30 ? shown : undefined}>{cut}</bdi>;
}

/** A text without colours of a terminal, control characters and marks of direction. */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "").replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, " ");
}

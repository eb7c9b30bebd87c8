/** A short text that others wrote, in one line. */
import { shortLine } from "./text";

/** The most characters that are shown. */
const MOST = 200;

export function Name({ text, most = MOST }: { text: string; most?: number }) {
  const shown = shortLine(text, most);
  return <bdi title={shown.length > 30 ? shown : undefined}>{shown}</bdi>;
}

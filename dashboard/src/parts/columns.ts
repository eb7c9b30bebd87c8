/** How many letters of data fit in a row. */

/** The width of a letter of data, in pixels. */
function letterWidth(): number {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return 7.3;
  context.font = `12px ${getComputedStyle(document.documentElement).getPropertyValue("--data")}`;
  return context.measureText("0".repeat(100)).width / 100 || 7.3;
}
let letter = 0;

/** How many letters of monospaced data a width in pixels has room for. */
export function columnsIn(pixels: number): number {
  letter ||= letterWidth();
  return Math.floor(pixels / letter);
}

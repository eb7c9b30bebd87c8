/** Texts of strangers, made harmless to look at. */

/** Control characters as pictures: colours of a terminal, bells, and marks that turn the direction of a text. */
export function showControls(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (sign) => (sign === "\r" ? "" : sign === "\u007f" ? "␡" : String.fromCharCode(0x2400 + sign.charCodeAt(0)))).replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, "�");
}

/** Places of a response that may differ: rules as `lookback replay --ignore` has them. */

/** The rule for a place: the same in every item of a list. */
export function ruleFor(place: string): string {
  return place.replace(/\[\d+\]/g, "[*]");
}

/** The rule for a name at any depth, or null for a place that is the only one of its name. */
export function ruleAnywhere(place: string): string | null {
  const name = /\.([A-Za-z_][\w-]*)$/.exec(place)?.[1];
  return place.startsWith("$.") && name !== undefined && place !== `$.${name}` ? `$..${name}` : null;
}

/** Whether a rule leaves a place out, with all that is in it. */
export function isIgnored(place: string, rules: string[]): boolean {
  return rules.some((rule) => patternOf(rule).test(place));
}

function patternOf(rule: string): RegExp {
  const whole = rule === "body" ? "$" : rule;
  const text = whole
    .replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    .replaceAll("\\[\\*\\]", "\\[\\d+\\]")
    .replaceAll("\\.\\.", "(?:\\..*)?\\.")
    .replaceAll("\\*", "[^.[]*");
  return new RegExp(`^${text}(?:$|[.[])`);
}

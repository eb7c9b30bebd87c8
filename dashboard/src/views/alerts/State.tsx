/** The state of a rule: a sign and a word. */
import type { Rule } from "./rule";

export const STATES = {
  firing: { sign: "●", className: "level-error", order: 0, title: "The condition holds" },
  resolving: { sign: "◑", className: "level-warn", order: 1, title: "It does not hold any more, not yet for long enough" },
  pending: { sign: "◐", className: "level-warn", order: 2, title: "The condition holds, not yet for long enough" },
  ok: { sign: "○", className: "", order: 3, title: "The condition does not hold" },
} as const;

export function State({ rule }: { rule: Rule }) {
  if (!rule.enabled) return <span className="quiet">‖ paused</span>;
  const { sign, className, title } = STATES[rule.status.state];
  return (
    <span className={className} title={title}>
      <span aria-hidden>{sign}</span> {rule.status.state}
    </span>
  );
}

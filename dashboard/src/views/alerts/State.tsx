/** The state of a rule: a sign and a word. */
import { isMeasured } from "./rule";
import type { Rule } from "./rule";

export const STATES = {
  firing: { sign: "●", className: "level-error", order: 0, title: "The condition holds" },
  resolving: { sign: "◑", className: "level-warn", order: 1, title: "It does not hold any more, not yet for long enough" },
  pending: { sign: "◐", className: "level-warn", order: 2, title: "The condition holds, not yet for long enough" },
  ok: { sign: "○", className: "", order: 3, title: "The condition does not hold" },
} as const;

export function State({ rule }: { rule: Rule }) {
  if (!rule.enabled) return <span className="quiet">‖ paused</span>;
  // Until the server has looked once, nobody knows whether it is so.
  if (!isMeasured(rule)) {
    return (
      <span className="quiet" title="The server measures it for the first time within 15 seconds">
        <span aria-hidden>◌</span> not measured yet
      </span>
    );
  }
  const { sign, className, title } = STATES[rule.status.state];
  return (
    <span className={className} title={title}>
      <span aria-hidden>{sign}</span> {rule.status.state}
    </span>
  );
}

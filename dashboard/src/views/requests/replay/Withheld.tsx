/** Says, before a request is sent, which headers it goes without: their values were never stored. */
import { Places } from "./Masked";
import styles from "./Replay.module.css";

interface Props {
  names: string[];
  /** Whether they can be filled in above, or only after going back. */
  isInForm?: boolean;
}

export function Withheld({ names, isInForm = false }: Props) {
  if (names.length === 0) return null;
  const isOne = names.length === 1;
  return (
    <p className={styles.withheld} role="note">
      <span aria-hidden>⚠ </span>
      <strong>
        It is sent without <Places names={names} />.
      </strong>{" "}
      {isOne ? "Its value was" : "Their values were"} masked before {isOne ? "it was" : "they were"} stored, so the answer may differ for that alone, such as 401 in place of the one that was captured.
      {isInForm && ` Fill ${isOne ? "it" : "them"} in above to send ${isOne ? "it" : "them"}.`}
    </p>
  );
}

/** Values of the query and the body that were never stored: names all of them, and asks what is sent in their place. */
import { Fragment } from "react";
import type { Ref } from "react";
import { shortLine } from "../../../parts/text";
import styles from "./Replay.module.css";

/** How many places are named one by one. */
const MOST = 20;

export function Places({ names }: { names: string[] }) {
  return (
    <>
      {names.slice(0, MOST).map((name, index) => (
        <Fragment key={name}>
          {index > 0 && ", "}
          <bdi className="data">{shortLine(name, 80)}</bdi>
        </Fragment>
      ))}
      {names.length > MOST && `, and ${names.length - MOST} more`}
    </>
  );
}

interface Props {
  /** The places for which nothing else was given. */
  places: string[];
  isSent: boolean;
  onSend: (isSent: boolean) => void;
  box: Ref<HTMLInputElement>;
}

export function MaskedConsent({ places, isSent, onSend, box }: Props) {
  if (places.length === 0) return null;
  const isOne = places.length === 1;
  return (
    <div className={styles.withheld}>
      <p>
        <span aria-hidden>⚠ </span>
        <strong>
          {isOne ? "One value was" : `${places.length} values were`} masked before {isOne ? "it was" : "they were"} stored: <Places names={places} />.
        </strong>{" "}
        {!isSent && `It is not sent until you fill ${isOne ? "it" : "them"} in, or tick this:`}
      </p>
      <label className={styles.check}>
        <input ref={box} type="checkbox" checked={isSent} onChange={(event) => onSend(event.target.checked)} />
        Send masked values as the text [masked]
      </label>
    </div>
  );
}

/** Values of records as text: what was masked is shown as masked, control characters are shown and do nothing. */
import { useState } from "react";
import { ruleOf, splitMasked } from "../masked";
import { withoutCodes } from "../../../parts/text";
import styles from "./Detail.module.css";

const PIECE = 4000;

export function Text({ text, name = null }: { text: string; name?: string | null }) {
  const [shown, setShown] = useState(PIECE);
  const parts = splitMasked(text.slice(0, shown));
  return (
    <>
      <bdi>
        {parts.map((part, index) =>
          part.isMasked ? (
            <span key={index} className={styles.masked} title={`Masked before it was stored, ${ruleOf(name, text)}.${part.hash === null ? "" : " Equal values have the same hash."}`}>
              masked{part.hash === null ? "" : ` ${part.hash}`}
            </span>
          ) : (
            withoutCodes(part.text)
          ),
        )}
      </bdi>
      {shown < text.length && (
        <button type="button" className="plain small" onClick={() => setShown(shown * 10)}>
          {text.length - shown} more characters …
        </button>
      )}
    </>
  );
}

/** Any value of JSON on a line. */
export function AnyValue({ value, name }: { value: unknown; name: string | null }) {
  if (Array.isArray(value) && value.length <= 50 && value.every((one) => typeof one !== "object"))
    return (
      <>
        {value.map((one, index) => (
          <div key={index}>
            <Text text={String(one)} name={name} />
          </div>
        ))}
      </>
    );
  return <Text text={typeof value === "string" ? value : JSON.stringify(value)} name={name} />;
}

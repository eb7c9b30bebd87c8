/** Says that what the address has is no range, and which one is shown instead. It stands in the flow of the page. */
import { shortLine } from "../parts/text";
import { nameRange } from "../time/range";
import { useWindow } from "./window";
import styles from "./SearchNotes.module.css";

export function RangeNote() {
  const { wrong, range, setRange } = useWindow();
  return (
    <div role="status" className={wrong === null ? "hidden-label" : styles.notes}>
      {wrong !== null && (
        <p>
          <span>
            <span aria-hidden>⚠ </span>
            <bdi>“{shortLine(wrong, 40)}”</bdi> in the address is no range of time, such as <code>6h</code> or <code>7d</code>: the {nameRange(range).toLowerCase()} is shown.
          </span>{" "}
          <button type="button" onClick={() => setRange(range)}>
            Keep the {nameRange(range).toLowerCase()}
          </button>
        </p>
      )}
    </div>
  );
}

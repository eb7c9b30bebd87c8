/** Names and values as a table: headers, parameters, fields of a form. Any value filters. */
import { useState } from "react";
import { shortLine, withoutCodes } from "../../../parts/text";
import type { Header } from "../snapshot";
import { AnyValue } from "./Value";
import styles from "./Detail.module.css";

export type OnFilter = (field: string, value: string | number | boolean | null, isExcluded: boolean) => void;

const PIECE = 100;

export function Pairs({ label, pairs, onFilter }: { label: string; pairs: Header[]; onFilter: OnFilter }) {
  const [shown, setShown] = useState(PIECE);
  return (
    <>
      <table className={styles.pairs} aria-label={label}>
        <tbody>
          {pairs.slice(0, shown).map(({ name, value, field }) => (
            <tr key={name} {...(field !== null && isLeaf(value) ? { "data-field": field, "data-value": String(value ?? "") } : {})}>
              <th scope="row">
                <bdi>{withoutCodes(name.slice(0, 200))}</bdi>
              </th>
              <td>
                <AnyValue value={value} name={name} />
                {field !== null && isLeaf(value) && <FilterButtons field={field} value={value} onFilter={onFilter} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown < pairs.length && (
        <button type="button" className="plain small" onClick={() => setShown(shown * 10)}>
          {pairs.length - shown} more …
        </button>
      )}
    </>
  );
}

type Leaf = string | number | boolean | null;

function isLeaf(value: unknown): value is Leaf {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

export function FilterButtons({ field, value, onFilter }: { field: string; value: Leaf; onFilter: OnFilter }) {
  const name = shortLine(field, 200);
  return (
    <span className={styles.filters}>
      <button type="button" className="plain small" aria-label={`Only ${name} of this value`} title={`Only ${name} of this value (f)`} onClick={() => onFilter(field, value, false)}>
        only
      </button>
      <button type="button" className="plain small" aria-label={`All but ${name} of this value`} title={`All but ${name} of this value (x)`} onClick={() => onFilter(field, value, true)}>
        not
      </button>
    </span>
  );
}

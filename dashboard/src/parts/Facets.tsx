/** The values of some fields with their counts: a click filters by one, with shift or alt it excludes. */
import { Fragment, useId } from "react";
import type { CSSProperties, KeyboardEvent, MouseEvent, ReactNode } from "react";
import { percent, short, count as whole } from "../time/format";
import { shortLine } from "./text";
import styles from "./Facets.module.css";

type Value = string | number | boolean | null;

export interface FacetValue<V extends Value = string | null> {
  value: V;
  count: number;
}

interface Props<V extends Value> {
  /** What the field is called. */
  title: string;
  values: readonly FacetValue<V>[];
  /** What the shares are of: the sum of the counts, unless more values exist than are listed. */
  total?: number;
  /** Whether more is there than was counted. */
  isFloor?: boolean;
  /** By the texts of the values; `null` is none. */
  chosen: ReadonlySet<string>;
  excluded: ReadonlySet<string>;
  onPick: (value: V, isExcluded: boolean) => void;
  /** How a value is shown, such as a level in its colour. */
  show?: (value: string) => ReactNode;
  /** What a value is called, where its own text does not say it: null leaves it as it is. */
  nameOf?: (value: string | null) => string | null;
  /** What stands below the values: that there are more, that they are awaited. */
  children?: ReactNode;
  isStale?: boolean;
}

/** The longest value that is drawn whole. */
const LONGEST = 80;

export function Facet<V extends Value>({ title, values, total, isFloor = false, chosen, excluded, onPick, show, nameOf, children, isStale = false }: Props<V>) {
  const id = useId();
  const all = Math.max(total ?? 0, values.reduce((sum, one) => sum + one.count, 0), 1);
  // As wide as the widest of them: names have the rest.
  const shareColumns = values.reduce((most, one) => Math.max(most, percent(one.count / all).length), 0);
  return (
    <section className={styles.facet} aria-labelledby={id} data-stale={isStale || undefined}>
      <h2 id={id}>{title}</h2>
      <ul style={{ "--share": `${shareColumns}ch` } as CSSProperties}>
        {values.map((one) => (
          <Choice key={`${typeof one.value} ${String(one.value)}`} {...one} share={one.count / all} isFloor={isFloor} isChosen={chosen.has(String(one.value))} isExcluded={excluded.has(String(one.value))} onPick={onPick} show={show} nameOf={nameOf} />
        ))}
      </ul>
      {children}
    </section>
  );
}

/** Lets a long value go on in the next line behind a sign, rather than within a word. */
function withBreaks(name: string): ReactNode {
  return name.split(/(?<=[/.:_-])(?![/.:_-])/).map((part, index) => (
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

interface ChoiceProps<V extends Value> extends FacetValue<V> {
  share: number;
  isFloor: boolean;
  isChosen: boolean;
  isExcluded: boolean;
  onPick: Props<V>["onPick"];
  show: Props<V>["show"] | undefined;
  nameOf: Props<V>["nameOf"] | undefined;
}

/** One value. `not` is for pointers, and has room of its own; the keyboard has x. */
function Choice<V extends Value>({ value, count, share, isFloor, isChosen, isExcluded, onPick, show, nameOf }: ChoiceProps<V>) {
  const plain = nameOf?.(value === null ? null : String(value)) ?? null;
  const name = plain !== null ? plain : value === null ? "none" : value === "" ? "empty" : shortLine(String(value), LONGEST);
  const pick = (event: MouseEvent) => onPick(value, event.shiftKey || event.altKey);
  const press = (event: KeyboardEvent) => {
    if (event.key !== "f" && event.key !== "x") return;
    event.preventDefault();
    onPick(value, event.key === "x");
  };
  return (
    <li className={styles.value}>
      <button type="button" className={`plain ${styles.pick ?? ""}`} aria-pressed={isChosen} data-excluded={isExcluded || undefined} title={`${name}\nOnly this (f); with shift or alt, all but this (x)`} onClick={pick} onKeyDown={press}>
        <span aria-hidden className={styles.box}>
          {isExcluded ? "−" : isChosen ? "■" : "□"}
        </span>
        <bdi className={styles.name}>
          {isExcluded && (
            <span aria-hidden className="quiet">
              not{" "}
            </span>
          )}
          {plain === null && (value === null || value === "") ? <i>{name}</i> : show ? show(name) : withBreaks(name)}
        </bdi>
        {isExcluded && <span className="hidden-label">excluded</span>}
        <span className={styles.count} title={`${isFloor ? "at least " : ""}${whole(count)}`}>
          {short(count)}
          {isFloor && "+"}
        </span>
        <span className={styles.share}>{percent(share)}</span>
        <span aria-hidden className={styles.bar} style={{ width: `${share * 100}%` }} />
      </button>
      <button type="button" tabIndex={-1} className={`plain ${styles.not ?? ""}`} aria-label={`not ${name}`} title="All but this (x)" onClick={() => onPick(value, true)}>
        not
      </button>
    </li>
  );
}

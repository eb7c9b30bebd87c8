/** The values of a field with their counts, as the search restricts them. A click on one changes the search. */
import { useMemo, useState } from "react";
import type { ReactNode } from "react";
import { useParam } from "../frame/address";
import type { Model } from "../query/parse";
import { pickedValues, togglePicked, withoutPicked } from "../query/picked";
import { Facet } from "./Facets";
import { useCounts } from "./useCounts";
import { useLast } from "./useLast";
import { useLate } from "./useSettled";
import styles from "./Facets.module.css";

type Pairs = [name: string, value: string][];

interface Props {
  model: Model;
  /** The field as the API calls it, and as the search says it. */
  field: string;
  name?: string;
  title: string;
  /** What a search restricts counts by, with the window. */
  parametersOf: (text: string) => Pairs;
  /** How often they were asked for. */
  asked: number;
  /** How many values are listed at first. */
  few?: number;
  /** How a value is shown, such as a level in its colour. */
  show?: (value: string) => ReactNode;
  /** What a value is called, where its own text does not say it; null is no value. */
  nameOf?: (value: string | null) => string | null;
  /** Whether it stands there when nothing has a value of it, too. */
  isAlwaysThere?: boolean;
  /** What it says then. */
  nothing?: string;
}

const MANY = 50;

export function FieldFacet({ model, field, name = field, title, parametersOf, asked, few = 10, show, nameOf, isAlwaysThere = false, nothing = "Nothing to count." }: Props) {
  const [text, setText] = useParam("q");
  const [isLong, setLong] = useState(false);
  const most = isLong ? MANY : few;
  // The other values of a field stay in sight when one of them is chosen.
  const counted = parametersOf(withoutPicked(text, model, field));
  // One more than is shown tells whether there are more.
  const answer = useCounts(model, [...counted, ["by", field], ["top", String(most + 1)]], asked);
  const known = useLast(answer.data);
  const isCut = (known?.length ?? 0) > most;
  // Of more values than are shown, the shares are of all records.
  const all = useCounts(model, counted, asked, isCut);
  const total = isCut ? all.data?.[0]?.of.count : undefined;
  const { chosen, excluded } = useMemo(() => pickedValues(text, model, field), [field, model, text]);
  const values = useMemo(() => {
    const found = (known ?? []).slice(0, most).map((group) => ({ value: group.by[field] ?? null, count: group.of.count }));
    const seen = new Set(found.map((one) => String(one.value)));
    return [...found, ...[...chosen, ...excluded].filter((value) => !seen.has(String(value))).map((value) => ({ value, count: 0 }))];
  }, [chosen, excluded, field, known, most]);
  const isStale = useLate(answer.isPlaceholderData) || answer.isError;
  // A field that no record has says nothing.
  if (!isAlwaysThere && known && values.every((one) => one.value === null) && chosen.length + excluded.length === 0) return null;
  return (
    <Facet
      title={title}
      {...(total === undefined ? {} : { total })}
      values={values}
      chosen={new Set(chosen.map(String))}
      excluded={new Set(excluded.map(String))}
      isStale={isStale}
      onPick={(value, isExcluded) => setText(togglePicked(text, model, field, value, isExcluded, name))}
      {...(show ? { show } : {})}
      {...(nameOf ? { nameOf } : {})}
    >
      {answer.isError && <p className={styles.note}>Could not be counted.</p>}
      {known && values.length === 0 && <p className={styles.note}>{nothing}</p>}
      {isCut &&
        (isLong ? (
          <p className={styles.note}>The {MANY} most frequent.</p>
        ) : (
          <button type="button" className={`plain ${styles.more ?? ""}`} onClick={() => setLong(true)}>
            More …
          </button>
        ))}
    </Facet>
  );
}

/** Buttons side by side of which one is chosen, such as an order. */
import styles from "./Choice.module.css";

export interface Option<T extends string> {
  value: T;
  name: string;
  title?: string;
  /** Why it cannot be chosen now. */
  whyNot?: string | undefined;
}

interface Props<T extends string> {
  label: string;
  options: Option<T>[];
  chosen: T;
  onChoose: (value: T) => void;
}

export function Choice<T extends string>({ label, options, chosen, onChoose }: Props<T>) {
  return (
    <div role="group" aria-label={label} className={styles.choice}>
      {options.map(({ value, name, title, whyNot }) => (
        <button key={value} type="button" aria-pressed={value === chosen} disabled={whyNot !== undefined} title={whyNot ?? title} onClick={() => onChoose(value)}>
          {name}
        </button>
      ))}
    </div>
  );
}

/** A form: fields with their labels, what is wrong below the very field, and a button that waits. */
import { useEffect, useId, useRef } from "react";
import type { ReactNode } from "react";
import { FormContext, useFormContext } from "./useForm";
import type { FormState } from "./useForm";
import styles from "./Form.module.css";

export function Form({ form, label, children }: { form: FormState; label: string; children: ReactNode }) {
  const element = useRef<HTMLFormElement>(null);
  const { fields } = form.faults;
  useEffect(() => {
    // The first field that is wrong has the focus, so that it can be typed at once.
    if (Object.keys(fields).length > 0) element.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [fields]);
  return (
    <FormContext value={form}>
      <form
        ref={element}
        className={styles.form}
        aria-label={label}
        aria-busy={form.isSending}
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(new FormData(event.currentTarget));
        }}
      >
        {children}
      </form>
    </FormContext>
  );
}

/** What the control of a field needs. */
export interface Control {
  id: string;
  name: string;
  "aria-invalid": boolean | undefined;
  "aria-describedby": string | undefined;
  onInput: () => void;
}

interface FieldProps {
  name: string;
  label: string;
  hint?: ReactNode;
  /** What the page itself finds wrong while one types. */
  problem?: string | null;
  children: (control: Control) => ReactNode;
}

export function Field({ name, label, hint, problem: typed = null, children }: FieldProps) {
  const { faults, clear } = useFormContext();
  const id = useId();
  const problem = typed ?? faults.fields[name];
  const described = [problem === undefined ? "" : `${id}-problem`, hint === undefined ? "" : `${id}-hint`].filter((one) => one !== "").join(" ");
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        name,
        "aria-invalid": problem === undefined ? undefined : true,
        "aria-describedby": described === "" ? undefined : described,
        onInput: () => clear(name),
      })}
      {problem !== undefined && (
        <p id={`${id}-problem`} role="alert" className={styles.problem}>
          <bdi>{problem}</bdi>
        </p>
      )}
      {hint !== undefined && (
        <p id={`${id}-hint`} className="quiet small">
          {hint}
        </p>
      )}
    </div>
  );
}

/** A choice among a few, as radio buttons. */
export function Radios<T extends string>({ name, label, value, options, onChange }: { name: string; label: string; value: T; options: [value: T, label: string][]; onChange: (value: T) => void }) {
  return (
    <fieldset className={styles.choice}>
      <legend>{label}</legend>
      {options.map(([option, text]) => (
        <label key={option}>
          <input type="radio" name={name} value={option} checked={option === value} onChange={() => onChange(option)} />
          {text}
        </label>
      ))}
    </fieldset>
  );
}

/** What is wrong with no field in particular. */
export function FormProblem() {
  const { faults } = useFormContext();
  if (faults.other === null) return null;
  return (
    <p role="alert" className={styles.problem}>
      <bdi>{faults.other}</bdi>
    </p>
  );
}

interface ActionsProps {
  children: string;
  /** What the button says while it waits. */
  sending?: string;
  isDanger?: boolean;
  isDisabled?: boolean;
  onCancel?: () => void;
  /** What the other button says: once something is done, there is nothing to cancel. */
  cancel?: string;
}

/** The button that sends, and the one that does not. */
export function FormActions({ children, sending = "Saving …", isDanger = false, isDisabled = false, onCancel, cancel = "Cancel" }: ActionsProps) {
  const { isSending } = useFormContext();
  return (
    <div className={styles.actions}>
      <button type="submit" className={isDanger ? "danger" : "primary"} disabled={isSending || isDisabled}>
        {isSending ? sending : children}
      </button>
      {onCancel && (
        // What does no harm has the focus first.
        <button type="button" onClick={onCancel} data-autofocus={isDanger || undefined}>
          {cancel}
        </button>
      )}
    </div>
  );
}

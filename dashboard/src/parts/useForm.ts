/** The state of a form: what is sent, what is wrong with which field. What was typed stays. */
import { createContext, useContext, useState } from "react";
import { ApiError } from "../api/client";

/** What is wrong with what was sent. */
export interface Faults {
  /** By the name of a field. */
  fields: Record<string, string>;
  /** Problems without a field in the form. */
  other: string | null;
  /** The wait before the next attempt: in seconds, and the time when it is over, in milliseconds. */
  wait: { seconds: number; until: number } | null;
}

const NONE: Faults = { fields: {}, other: null, wait: null };

/** A refusal that the page itself finds, of one field. */
export class FieldError extends Error {
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Sorts an error by the fields of a form. The API names fields in `errors`, and in details such as
 * `email: is the e-mail of another user`; `names` says which field of the form shows which of these.
 */
export function faultsOf(error: unknown, names: Record<string, string>): Faults {
  if (error instanceof FieldError) return { ...NONE, fields: { [error.field]: error.message } };
  if (!(error instanceof ApiError)) return { ...NONE, other: error instanceof Error ? error.message : String(error) };
  if (error.kind === "not-authenticated") return { ...NONE, other: "The session had ended. Nothing is lost: send it again." };
  const said = /^(\w+): (.*)$/s.exec(error.detail);
  const named = error.fields.length > 0 ? error.fields : said ? [{ field: said[1] ?? "", problem: said[2] ?? "" }] : [];
  const fields: Record<string, string> = {};
  const other: string[] = [];
  for (const { field, problem } of named) {
    const name = names[field];
    if (name === undefined) other.push(`${field}: ${problem}`);
    else fields[name] = name in fields ? `${fields[name] ?? ""}; ${problem}` : problem;
  }
  const wait = error.retryAfter === undefined ? null : { seconds: error.retryAfter, until: Date.now() + error.retryAfter * 1000 };
  return { fields, other: named.length === 0 ? error.detail : other.join("; ") || null, wait };
}

export interface FormState {
  faults: Faults;
  isSending: boolean;
  /** Sends the form, and returns whether it went well. */
  submit: (form: FormData) => Promise<boolean>;
  /** Takes the fault of a field away, as it is typed in again. */
  clear: (field: string) => void;
  reset: () => void;
}

interface Options {
  send: (form: FormData) => Promise<void>;
  /** The fields of the form by the names that the API has for them, or a list if these are the same. */
  fields?: string[] | Record<string, string>;
  /** Where to show a refusal that names no field. */
  fieldOf?: (error: ApiError) => string | undefined;
}

export function useForm({ send, fields = [], fieldOf }: Options): FormState {
  const [faults, setFaults] = useState(NONE);
  const [isSending, setSending] = useState(false);
  const names = Array.isArray(fields) ? Object.fromEntries(fields.map((name) => [name, name])) : fields;
  const submit = async (form: FormData) => {
    if (isSending) return false;
    setSending(true);
    setFaults(NONE);
    try {
      await send(form);
      return true;
    } catch (error) {
      const found = faultsOf(error, names);
      const field = error instanceof ApiError && found.other !== null ? fieldOf?.(error) : undefined;
      setFaults(field === undefined || found.other === null ? found : { ...found, fields: { ...found.fields, [field]: found.other }, other: null });
      return false;
    } finally {
      setSending(false);
    }
  };
  const clear = (field: string) => {
    if (field in faults.fields) setFaults({ ...faults, fields: Object.fromEntries(Object.entries(faults.fields).filter(([name]) => name !== field)) });
  };
  return { faults, isSending, submit, clear, reset: () => setFaults(NONE) };
}

/** A text of a form. */
export function valueOf(form: FormData, name: string): string {
  const found = form.get(name);
  return typeof found === "string" ? found : "";
}

export const FormContext = createContext<FormState | null>(null);

/** The form around a part. */
export function useFormContext(): FormState {
  const form = useContext(FormContext);
  if (form === null) throw new Error("no form");
  return form;
}

/** Signing in, and the password that has to be changed at the first time. */
import { useState } from "react";
import type { SubmitEvent } from "react";
import { ApiError } from "../../api/client";
import { useChangePassword, useSignIn } from "../../api/session";
import styles from "./SignIn.module.css";

function useForm(send: (form: FormData) => Promise<void>) {
  const [error, setError] = useState<ApiError | null>(null);
  const [isSending, setSending] = useState(false);
  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    setSending(true);
    setError(null);
    try {
      await send(new FormData(event.currentTarget));
    } catch (failed) {
      setError(failed instanceof ApiError ? failed : new ApiError(0, "unknown", String(failed)));
    } finally {
      setSending(false);
    }
  };
  return { error, isSending, submit: (event: SubmitEvent<HTMLFormElement>) => void submit(event) };
}

function value(form: FormData, name: string): string {
  const found = form.get(name);
  return typeof found === "string" ? found : "";
}

export function SignIn() {
  const signIn = useSignIn();
  const { error, isSending, submit } = useForm((form) => signIn(value(form, "email"), value(form, "password")));
  return (
    <main className={styles.page}>
      <form className={styles.form} onSubmit={submit}>
        <h1>Lookback</h1>
        <label>
          E-mail
          {/* The first field of a page that has nothing else. */}
          {/* eslint-disable-next-line jsx-a11y/no-autofocus */}
          <input name="email" type="email" autoComplete="username" required autoFocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        {error && (
          <p role="alert" className={styles.error}>
            {error.detail}
            {error.retryAfter !== undefined && ` Try again in ${error.retryAfter} s.`}
          </p>
        )}
        <button type="submit" className="primary" disabled={isSending}>
          Sign in
        </button>
        <p className="quiet small">
          The first start of <code>lookback serve</code> prints the password of the first admin.
        </p>
      </form>
    </main>
  );
}

export function ChangePassword({ isRequired }: { isRequired: boolean }) {
  const change = useChangePassword();
  const [isDone, setDone] = useState(false);
  const { error, isSending, submit } = useForm(async (form) => {
    await change(value(form, "current"), value(form, "new"));
    setDone(true);
  });
  return (
    <main className={styles.page}>
      <form className={styles.form} onSubmit={submit}>
        <h1>Change the password</h1>
        {isRequired && <p>The password was made for one time: choose your own.</p>}
        <label>
          Password until now
          <input name="current" type="password" autoComplete="current-password" required />
        </label>
        <label>
          New password
          <input name="new" type="password" autoComplete="new-password" minLength={8} required aria-describedby="password-rule" />
        </label>
        <p id="password-rule" className="quiet small">
          8 characters or more, and not easy to guess. It ends all other sessions.
        </p>
        {error && (
          <p role="alert" className={styles.error}>
            {error.fields.map((field) => `${field.field} ${field.problem}`).join("; ") || error.detail}
          </p>
        )}
        {isDone && <p role="status">The password is changed.</p>}
        <button type="submit" className="primary" disabled={isSending}>
          Change
        </button>
      </form>
    </main>
  );
}

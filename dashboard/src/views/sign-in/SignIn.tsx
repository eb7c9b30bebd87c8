/** Signing in: on a page of its own, or in front of the page when a session has ended. */
import { useEndSession, useSignIn, useStay } from "../../api/session";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { Field, Form, FormProblem } from "../../parts/Form";
import { useForm, valueOf } from "../../parts/useForm";
import { useCountdown } from "./countdown";
import styles from "./SignIn.module.css";

export function SignIn() {
  return (
    <main className={styles.page}>
      <div className={styles.form}>
        <h1>Lookback</h1>
        <SignInForm email="" />
        <p className="quiet small">
          The first start of <code>lookback serve</code> prints the password of the first admin.
        </p>
      </div>
    </main>
  );
}

/** Stands in front of the page until somebody is signed in again. */
export function SignInAgain({ email }: { email: string }) {
  return (
    <Dialog title="Sign in again" onClose={() => undefined}>
      <div className={`${styles.form ?? ""} ${styles.again ?? ""}`}>
        <h2>Sign in again</h2>
        <p>The session has ended. What you were at is kept behind this.</p>
        <SignInForm email={email} />
      </div>
    </Dialog>
  );
}

/** Says that nobody was signed out, which one would not see otherwise. */
export function NotSignedOut() {
  const end = useEndSession();
  const stay = useStay();
  return (
    <Confirm title="Not signed out" action="Sign out" run={end} onClose={stay}>
      <p>The server could not be reached: you are still signed in, and so is who uses this browser after you.</p>
    </Confirm>
  );
}

function SignInForm({ email }: { email: string }) {
  const signIn = useSignIn();
  const form = useForm({
    fields: ["email", "password"],
    send: (data) => signIn(valueOf(data, "email"), valueOf(data, "password")),
  });
  const wait = useCountdown(form.faults.wait);
  return (
    <Form form={form} label="Sign in">
      <Field name="email" label="E-mail">
        {/* The first field of a page that has nothing else. */}
        {/* eslint-disable-next-line jsx-a11y/no-autofocus */}
        {(control) => <input {...control} type="email" autoComplete="username" required defaultValue={email} autoFocus={email === ""} />}
      </Field>
      <Field name="password" label="Password">
        {(control) => <input {...control} type="password" autoComplete="current-password" required data-autofocus={email !== "" || undefined} />}
      </Field>
      {form.faults.wait === null ? (
        <FormProblem />
      ) : (
        <p role="alert" className={styles.error}>
          Too many attempts. What you typed stays; the button says when it can be tried again.
        </p>
      )}
      <button type="submit" className="primary" disabled={form.isSending || wait > 0}>
        {wait > 0 ? `Try again in ${wait} s` : form.isSending ? "Signing in …" : "Sign in"}
      </button>
    </Form>
  );
}

/** Logging in: on a page of its own, or in front of the page when a session has ended. */
import { useEndSession, useLogIn, useStay } from "../../api/session";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { Field, Form, FormProblem } from "../../parts/Form";
import { useForm, valueOf } from "../../parts/useForm";
import { useCountdown } from "./countdown";
import styles from "./LogIn.module.css";

export function LogIn() {
  return (
    <main className={styles.page}>
      <div className={styles.form}>
        <h1>Lookback</h1>
        <LogInForm email="" />
        <p className="quiet small">
          The first start of <code>lookback serve</code> prints the password of the first admin.
        </p>
      </div>
    </main>
  );
}

/** Stands in front of the page until somebody is logged in again. */
export function LogInAgain({ email }: { email: string }) {
  return (
    <Dialog title="Log in again" onClose={() => undefined}>
      <div className={`${styles.form ?? ""} ${styles.again ?? ""}`}>
        <h2>Log in again</h2>
        <p>The session has ended. What you were at is kept behind this.</p>
        <LogInForm email={email} />
      </div>
    </Dialog>
  );
}

/** Says that nobody was logged out, which one would not see otherwise. */
export function NotLoggedOut() {
  const end = useEndSession();
  const stay = useStay();
  return (
    <Confirm title="Not logged out" action="Log out" run={end} onClose={stay}>
      <p>The server could not be reached: you are still logged in, and so is who uses this browser after you.</p>
    </Confirm>
  );
}

function LogInForm({ email }: { email: string }) {
  const logIn = useLogIn();
  const form = useForm({
    fields: ["email", "password"],
    send: (data) => logIn(valueOf(data, "email"), valueOf(data, "password")),
  });
  const wait = useCountdown(form.faults.wait);
  return (
    <Form form={form} label="Log in">
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
        {wait > 0 ? `Try again in ${wait} s` : form.isSending ? "Logging in …" : "Log in"}
      </button>
    </Form>
  );
}

/** The account of the user who is logged in: the password, and the end of the session. */
import { useState } from "react";
import { useChangePassword, useSession, useLogOut } from "../../api/session";
import { Field, Form, FormActions, FormProblem } from "../../parts/Form";
import { Name } from "../../parts/Name";
import { FieldError, useForm, valueOf } from "../../parts/useForm";
import { Empty } from "../../parts/State";
import { inFull } from "../../time/format";
import styles from "./LogIn.module.css";

export function Account() {
  const { user, expires_at: end } = useSession();
  const logOut = useLogOut();
  if (user === null) return <Empty title="This server asks nobody to log in, so there is no account." />;
  return (
    <div className={styles.page}>
      <div className={styles.form}>
        <h1>Account</h1>
        <p>
          <Name text={user.email} />, {user.role === "admin" ? "an admin" : "a user who may read"}
          {end !== null && (
            <span className="quiet small">
              {" "}
              · logged in until <time dateTime={end} title={inFull(end)}>{new Date(end).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}</time>
            </span>
          )}
        </p>
        <h2>Change the password</h2>
        <PasswordForm />
        <button type="button" onClick={() => void logOut()}>
          Log out
        </button>
      </div>
    </div>
  );
}

/** Stands in the place of the page until a password for one time is changed. */
export function FirstPassword() {
  const logOut = useLogOut();
  return (
    <main className={styles.page}>
      <div className={styles.form}>
        <h1>Choose your password</h1>
        <p>The one you logged in with was made for one time.</p>
        <PasswordForm />
        <button type="button" className="plain" onClick={() => void logOut()}>
          Log out
        </button>
      </div>
    </main>
  );
}

function PasswordForm() {
  const change = useChangePassword();
  // Another form after each change: passwords do not stay in it.
  const [changes, setChanges] = useState(0);
  const form = useForm({
    // The API calls the new one `password` where it says what is wrong with it.
    fields: { current: "current", password: "new" },
    fieldOf: (error) => (error.kind === "wrong-credentials" ? "current" : undefined),
    send: async (data) => {
      if (valueOf(data, "new") !== valueOf(data, "again")) throw new FieldError("again", "is not the same");
      await change(valueOf(data, "current"), valueOf(data, "new"));
      setChanges((before) => before + 1);
    },
  });
  return (
    <>
      <Form key={changes} form={form} label="Change the password">
        <Field name="current" label="Password until now">
          {(control) => <input {...control} type="password" autoComplete="current-password" required />}
        </Field>
        <Field name="new" label="New password" hint="8 characters or more, and not easy to guess. It ends all other sessions.">
          {(control) => <input {...control} type="password" autoComplete="new-password" required />}
        </Field>
        <Field name="again" label="New password again">
          {(control) => <input {...control} type="password" autoComplete="new-password" required />}
        </Field>
        <FormProblem />
        <FormActions>Change the password</FormActions>
      </Form>
      <p role="status">{changes > 0 && "The password is changed. All other sessions have ended."}</p>
    </>
  );
}

/** The dialogs that change users. */
import { useState } from "react";
import { Name } from "../../parts/Name";
import type { ApiError, User } from "../../api/client";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { Radios, Field, Form, FormActions, FormProblem } from "../../parts/Form";
import { Secret } from "../../parts/Secret";
import { useForm, valueOf } from "../../parts/useForm";
import { ROLES, useUserChange } from "./changes";
import type { Role } from "./changes";
import { generatePassword } from "./password";

interface Props {
  user: User;
  /** Whether it is the user who is logged in. */
  isSelf: boolean;
  onClose: () => void;
}

/** The refusal to take the last admin away is one of the role. */
const lastAdmin = (error: ApiError) => (error.kind === "conflict" ? "role" : undefined);

type Kind = "generated" | "chosen";

function PasswordKind({ value, onChange }: { value: Kind; onChange: (kind: Kind) => void }) {
  return (
    <>
      <Radios
        name="kind"
        label="Password"
        value={value}
        onChange={onChange}
        options={[
          ["generated", "Made for one time"],
          ["chosen", "Chosen here"],
        ]}
      />
      {value === "chosen" && (
        <Field name="password" label="New password" hint="8 characters or more, and not easy to guess.">
          {(control) => <input {...control} type="password" autoComplete="new-password" required />}
        </Field>
      )}
    </>
  );
}

/** The password of a form, and whether it is for one time. */
function passwordOf(form: FormData, kind: Kind): { password: string; is_one_time: boolean } {
  return kind === "generated" ? { password: generatePassword(), is_one_time: true } : { password: valueOf(form, "password"), is_one_time: false };
}

export function NewUser({ onClose }: { onClose: () => void }) {
  const change = useUserChange();
  const [role, setRole] = useState<Role>("user");
  const [kind, setKind] = useState<Kind>("generated");
  const [made, setMade] = useState<{ email: string; password: string } | null>(null);
  const form = useForm({
    // A refusal of the role has no field of its own here.
    fields: ["email", "password"],
    fieldOf: (error) => (error.kind === "conflict" ? "email" : undefined),
    send: async (data) => {
      const email = valueOf(data, "email");
      const given = passwordOf(data, kind);
      await change("POST", "", { email, role, ...given });
      if (given.is_one_time) setMade({ email, password: given.password });
      else onClose();
    },
  });
  if (made) return <OneTimePassword {...made} onClose={onClose} />;
  return (
    <Dialog title="Add a user" kind="form" onClose={onClose}>
      <Form form={form} label="Add a user">
        <Field name="email" label="E-mail">
          {(control) => <input {...control} type="email" autoComplete="off" required />}
        </Field>
        <Radios name="role" label="Role" value={role} options={ROLES} onChange={setRole} />
        <PasswordKind value={kind} onChange={setKind} />
        <FormProblem />
        <FormActions sending="Adding …" onCancel={onClose}>
          Add
        </FormActions>
      </Form>
    </Dialog>
  );
}

function OneTimePassword({ email, password, onClose }: { email: string; password: string; onClose: () => void }) {
  return (
    <Secret title="Password for one time" name="Password" secret={password} onClose={onClose}>
      <p>
        <Name text={email} /> logs in with it, and then has to choose another.
      </p>
    </Secret>
  );
}

export function EditUser({ user, isSelf, onClose }: Props) {
  const change = useUserChange();
  const [role, setRole] = useState(user.role);
  const form = useForm({
    fields: ["email", "role"],
    fieldOf: lastAdmin,
    send: async (data) => {
      const email = valueOf(data, "email");
      const changed = { ...(email === user.email ? {} : { email }), ...(role === user.role ? {} : { role }) };
      if (Object.keys(changed).length > 0) await change("PATCH", `/${user.id}`, changed);
      onClose();
    },
  });
  return (
    <Dialog title="Change a user" kind="form" onClose={onClose}>
      <Form form={form} label="Change a user">
        <Field name="email" label="E-mail">
          {(control) => <input {...control} type="email" autoComplete="off" required defaultValue={user.email} />}
        </Field>
        <Field name="role" label="Role">
          {(control) => (
            <select {...control} value={role} onChange={(event) => setRole(event.target.value as Role)}>
              {ROLES.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <p className="quiet small">{isSelf ? "It is you: you have to log in again." : "It logs the user out."}</p>
        <FormProblem />
        <FormActions onCancel={onClose}>Save</FormActions>
      </Form>
    </Dialog>
  );
}

export function ResetPassword({ user, isSelf, onClose }: Props) {
  const change = useUserChange();
  const [kind, setKind] = useState<Kind>("generated");
  const [made, setMade] = useState<string | null>(null);
  const form = useForm({
    fields: ["password"],
    send: async (data) => {
      const given = passwordOf(data, kind);
      await change("POST", `/${user.id}/password`, given);
      if (given.is_one_time) setMade(given.password);
      else onClose();
    },
  });
  if (made !== null) return <OneTimePassword email={user.email} password={made} onClose={onClose} />;
  return (
    <Dialog title="Reset the password" kind="form" onClose={onClose}>
      <Form form={form} label="Reset the password">
        <p>
          <Name text={user.email} /> gets another password, and {isSelf ? "you have to log in again with it." : "is logged out."}
        </p>
        <PasswordKind value={kind} onChange={setKind} />
        <FormProblem />
        <FormActions onCancel={onClose}>Reset</FormActions>
      </Form>
    </Dialog>
  );
}

export function DeleteUser({ user, isSelf, onClose }: Props) {
  const change = useUserChange();
  return (
    <Confirm title="Delete a user" action="Delete" run={() => change("DELETE", `/${user.id}`)} onClose={onClose}>
      <p>
        <Name text={user.email} /> will not be able to log in any more{isSelf ? ": it is you, and you will be logged out." : "."} Deleted users can be restored here. Keys
        that the user made stay valid.
      </p>
    </Confirm>
  );
}

/** The dialogs that make a key, show it once, and revoke it. */
import { useQueryClient } from "@tanstack/react-query";
import { Name } from "../../parts/Name";
import { useState } from "react";
import { call } from "../../api/client";
import type { ApiKey } from "../../api/client";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { Radios, Field, Form, FormActions, FormProblem } from "../../parts/Form";
import { Secret } from "../../parts/Secret";
import { Snippet } from "../../parts/Snippet";
import { FieldError, useForm, valueOf } from "../../parts/useForm";
import { example } from "./example";
import { EXPIRIES, expiresAt, today } from "./expiry";
import type { Expiry } from "./expiry";

type Scope = ApiKey["scope"];

const SCOPES: [Scope, string][] = [
  ["ingest", "Store records"],
  ["read", "Read records"],
  ["admin", "Everything"],
];

/** Makes a key, and returns it: it is never read again. */
export function useMakeKey() {
  const client = useQueryClient();
  return async (name: string, scope: Scope, expires: string | null): Promise<string> => {
    const { key } = await call<{ data: ApiKey; key: string }>("/keys", { method: "POST", body: { name, scope, expires_at: expires } });
    void client.invalidateQueries({ queryKey: ["keys"] });
    return key;
  };
}

export function NewKey({ onClose }: { onClose: () => void }) {
  const makeKey = useMakeKey();
  const [scope, setScope] = useState<Scope>("ingest");
  const [expiry, setExpiry] = useState<Expiry>("never");
  const [made, setMade] = useState<string | null>(null);
  const form = useForm({
    fields: { name: "name", ...(expiry === "date" ? { expires_at: "day" } : {}) },
    send: async (data) => {
      const day = valueOf(data, "day");
      if (expiry === "date" && day < today()) throw new FieldError("day", "is over: the key could not be used");
      setMade(await makeKey(valueOf(data, "name"), scope, expiresAt(expiry, day)));
    },
  });
  if (made !== null) {
    return (
      <Secret title="The key" name="Key" secret={made} onClose={onClose}>
        <p>For example:</p>
        <Snippet label="Example" text={example(location.origin, scope, made)} />
      </Secret>
    );
  }
  return (
    <Dialog title="Make a key" kind="form" onClose={onClose}>
      <Form form={form} label="Make a key">
        <Field name="name" label="Name" hint="What it is for: an application, a machine, a person.">
          {(control) => <input {...control} autoComplete="off" maxLength={200} required />}
        </Field>
        <Radios name="scope" label="May" value={scope} options={SCOPES} onChange={setScope} />
        <Radios name="expiry" label="Expires" value={expiry} options={EXPIRIES} onChange={setExpiry} />
        {expiry === "date" && (
          <Field name="day" label="Last day">
            {(control) => <input {...control} type="date" min={today()} required />}
          </Field>
        )}
        <FormProblem />
        <FormActions sending="Making …" onCancel={onClose}>
          Make
        </FormActions>
      </Form>
    </Dialog>
  );
}

export function RevokeKey({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = async () => {
    await call(`/keys/${apiKey.id}`, { method: "DELETE" });
    await client.invalidateQueries({ queryKey: ["keys"] });
  };
  return (
    <Confirm title="Revoke a key" action="Revoke" run={revoke} onClose={onClose}>
      <p>
        Programs that send <Name text={apiKey.name} /> (<code>lb_{apiKey.prefix}_…</code>) will be refused. This cannot be undone.
      </p>
    </Confirm>
  );
}

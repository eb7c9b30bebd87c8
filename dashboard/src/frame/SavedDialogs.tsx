/** The dialogs that save a search, and that list, rename and delete those that are saved. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { ReactNode } from "react";
import { useChangeSaved, useSavedSearches } from "../api/saved";
import type { SavedSearch } from "../api/saved";
import { Confirm } from "../parts/Confirm";
import { Dialog } from "../parts/Dialog";
import { Field, Form, FormActions, FormProblem } from "../parts/Form";
import { Name } from "../parts/Name";
import { shortLine } from "../parts/text";
import { useForm, valueOf } from "../parts/useForm";
import { DEFAULT_RANGE, nameRange, parseRange } from "../time/range";
import type { Params } from "./address";
import styles from "./SavedDialogs.module.css";
import { VIEWS } from "./views";

const LONGEST_NAME = 200;

interface NameProps {
  title: string;
  name?: string;
  action: string;
  send: (name: string) => Promise<void>;
  onClose: () => void;
  /** What stands above the name. */
  children?: ReactNode;
}

function NameForm({ title, name = "", action, send, onClose, children }: NameProps) {
  const form = useForm({
    fields: ["name"],
    // A name that is taken is of the name.
    fieldOf: ({ status }) => (status === 409 ? "name" : undefined),
    send: async (data) => {
      await send(valueOf(data, "name").trim());
      onClose();
    },
  });
  return (
    <Dialog title={title} kind="form" onClose={onClose}>
      <Form form={form} label={title}>
        {children}
        <Field name="name" label="Name" hint="The whole team sees it.">
          {(control) => <input {...control} defaultValue={name} autoComplete="off" maxLength={LONGEST_NAME} required />}
        </Field>
        <FormProblem />
        <FormActions onCancel={onClose}>{action}</FormActions>
      </Form>
    </Dialog>
  );
}

interface SaveProps {
  path: string;
  params: Params;
  /** Called with the name, once it is saved. */
  onSaved: (name: string) => void;
  onClose: () => void;
}

export function SaveSearch({ path, params, onSaved, onClose }: SaveProps) {
  const { save } = useChangeSaved();
  const send = async (name: string) => {
    await save(name, path, params);
    onSaved(name);
  };
  return (
    <NameForm title="Save this search" action="Save" send={send} onClose={onClose}>
      <WhatIsSaved path={path} params={params} />
    </NameForm>
  );
}

function WhatIsSaved({ path, params }: { path: string; params: Params }) {
  const range = parseRange(params["range"] ?? DEFAULT_RANGE);
  const search = params["q"] ?? "";
  return (
    <dl className={styles.what}>
      <dt>View</dt>
      <dd>{VIEWS.find((view) => view.path === path)?.name}, as it is shown now</dd>
      <dt>Search</dt>
      <dd>{search === "" ? "none: all records" : <bdi className="data">{shortLine(search, 300)}</bdi>}</dd>
      <dt>Range</dt>
      <dd>
        {range && nameRange(range)}
        {range?.kind === "last" && ", up to the time when it is opened"}
      </dd>
    </dl>
  );
}

export function ManageSearches({ onClose }: { onClose: () => void }) {
  const searches = useSavedSearches() ?? [];
  const { rename, remove } = useChangeSaved();
  const [chosen, setChosen] = useState<{ search: SavedSearch; action: "rename" | "delete" } | null>(null);
  const back = () => setChosen(null);
  if (chosen?.action === "rename") return <NameForm title="Rename a saved search" name={chosen.search.name} action="Rename" send={(name) => rename(chosen.search.id, name)} onClose={back} />;
  if (chosen) {
    return (
      <Confirm title="Delete a saved search" action="Delete" run={() => remove(chosen.search.id)} onClose={back}>
        <p>
          <Name text={chosen.search.name} /> will be deleted for the whole team.
        </p>
      </Confirm>
    );
  }
  return (
    <Dialog title="Saved searches" kind="form" onClose={onClose}>
      {searches.length === 0 && <p className="quiet">None is saved.</p>}
      <ul className={styles.list}>
        {searches.map((one) => (
          <li key={one.id}>
            <Link to={one.path} search={one.params as never} onClick={onClose}>
              <Name text={one.name} />
            </Link>
            <span className="quiet small">{VIEWS.find((view) => view.path === one.path)?.name}</span>
            <button type="button" aria-label={`Rename ${one.name}`} onClick={() => setChosen({ search: one, action: "rename" })}>
              Rename
            </button>
            <button type="button" aria-label={`Delete ${one.name}`} onClick={() => setChosen({ search: one, action: "delete" })}>
              Delete
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

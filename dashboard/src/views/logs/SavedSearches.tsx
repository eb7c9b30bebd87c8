/** The saved searches of the view: to open one, to save what is shown, to delete one. */
import { useState } from "react";
import { useSavedSearches } from "../../api/saved";
import { useParams, useSetParams } from "../../frame/address";
import { Dialog } from "../../parts/Dialog";
import { Menu } from "../../parts/Menu";

/** What of an address is of the moment, and is not saved. */
const PASSING = ["open", "tab", "copies", "live", "facets"];

export function SavedSearches() {
  const { searches, save, remove } = useSavedSearches("logs");
  const params = useParams();
  const setParams = useSetParams();
  const [front, setFront] = useState<"save" | "manage" | null>(null);
  const [name, setName] = useState("");
  if (searches === null) return null;
  const now = Object.fromEntries(Object.entries(params).filter(([key]) => !PASSING.includes(key)));
  const open = (parameters: Record<string, string>) => setParams({ ...Object.fromEntries(Object.keys(params).map((key) => [key, ""])), ...parameters });
  const close = () => {
    setFront(null);
    save.reset();
  };
  return (
    <>
      <Menu label="Saved ▾" title="Saved searches">
        {searches.map((one) => (
          <button key={one.id} type="button" role="menuitem" className="plain" onClick={() => open(one.parameters)}>
            <bdi>{one.name}</bdi>
          </button>
        ))}
        <button type="button" role="menuitem" className="plain" onClick={() => setFront("save")}>
          Save this search …
        </button>
        {searches.length > 0 && (
          <button type="button" role="menuitem" className="plain" onClick={() => setFront("manage")}>
            Delete one …
          </button>
        )}
      </Menu>
      {front === "save" && (
        <Dialog title="Save this search" onClose={close}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              save.mutate(
                { name: name.trim(), parameters: now },
                {
                  onSuccess: () => {
                    setName("");
                    close();
                  },
                },
              );
            }}
          >
            <label>
              Name of the search <input required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />
            </label>{" "}
            <button type="submit" className="primary" disabled={save.isPending}>
              Save
            </button>
            {save.isError && <p role="alert">Not saved: {save.error.message}</p>}
          </form>
        </Dialog>
      )}
      {front === "manage" && (
        <Dialog title="Delete a saved search" onClose={close}>
          <ul>
            {searches.map((one) => (
              <li key={one.id}>
                <bdi>{one.name}</bdi>{" "}
                <button type="button" className="danger" aria-label={`Delete ${one.name}`} disabled={remove.isPending} onClick={() => remove.mutate(one.id)}>
                  Delete
                </button>
              </li>
            ))}
          </ul>
          {remove.isError && <p role="alert">Not deleted: {remove.error.message}</p>}
          <button type="button" onClick={close}>
            Done
          </button>
        </Dialog>
      )}
    </>
  );
}

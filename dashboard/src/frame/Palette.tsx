/** Everything by its name: views and actions. */
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useIsAdmin } from "../api/session";
import { Dialog } from "../parts/Dialog";
import { sharedParams, useParams } from "./address";
import { VIEWS } from "./views";

export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const navigate = useNavigate();
  const isAdmin = useIsAdmin();
  const shared = sharedParams(useParams());
  const found = VIEWS.filter((view) => (isAdmin || !view.isForAdmins) && view.name.toLowerCase().includes(text.toLowerCase()));
  const go = (path: string) => {
    onClose();
    void navigate({ to: path, search: shared });
  };
  return (
    <Dialog title="Everything" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (found[0]) go(found[0].path);
        }}
      >
        <input aria-label="Find a view or an action" value={text} onChange={(event) => setText(event.target.value)} />
      </form>
      <ul>
        {found.map((view) => (
          <li key={view.path}>
            <button type="button" className="plain" onClick={() => go(view.path)}>
              {view.name}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

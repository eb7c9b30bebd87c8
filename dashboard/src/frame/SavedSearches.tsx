/** The saved searches of the team: to open one, to save what is shown, to rename and delete them. */
import { useNavigate } from "@tanstack/react-router";
import { useSavedSearches } from "../api/saved";
import { Menu } from "../parts/Menu";
import { shortLine } from "../parts/text";

export interface SavedProps {
  /** The path of the view that is shown: its searches come first. */
  path: string;
  onSave: () => void;
  onManage: () => void;
}

export function SavedSearches(props: SavedProps) {
  if (useSavedSearches() === null) return null;
  return (
    <Menu label="Saved ▾" title="Saved searches">
      <SavedItems {...props} />
    </Menu>
  );
}

/** As parts of a menu. */
export function SavedItems({ path, onSave, onManage }: SavedProps) {
  const searches = useSavedSearches();
  const navigate = useNavigate();
  if (searches === null) return null;
  return (
    <>
      {searches.filter((one) => one.path === path).map((one) => (
        <button key={one.id} type="button" role="menuitem" className="plain" onClick={() => void navigate({ to: one.path, search: one.params })}>
          <bdi>{shortLine(one.name, 60)}</bdi>
        </button>
      ))}
      <button type="button" role="menuitem" className="plain" onClick={onSave}>
        Save this search …
      </button>
      {searches.length > 0 && (
        <button type="button" role="menuitem" className="plain" onClick={onManage}>
          All saved searches …
        </button>
      )}
    </>
  );
}

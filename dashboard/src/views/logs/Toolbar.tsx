/** How the lines are shown: as a list or by pattern, in which order, folded; and what to do with them. */
import { useIsAdmin } from "../../api/session";
import { address } from "../../api/client";
import { useParam, useSetParams } from "../../frame/address";
import { Menu } from "../../parts/Menu";
import { SavedSearches } from "./SavedSearches";
import type { LogsState } from "./state";
import styles from "./Toolbar.module.css";

/** CSV that is downloaded by hand is opened in a spreadsheet, where a text of a stranger may be a formula. */
const FORMATS: [format: string, name: string, parameters?: [string, string][]][] = [
  ["jsonl", "JSON lines"],
  ["csv", "CSV for spreadsheets", [["for_spreadsheets", "true"]]],
  ["parquet", "Parquet"],
];

export function Toolbar({ state, said }: { state: LogsState; said: string }) {
  const setParams = useSetParams();
  const isAdmin = useIsAdmin();
  const hasWords = state.query.words !== "";
  return (
    <div className={styles.bar} role="toolbar" aria-label="How lines are shown">
      <FacetsButton />
      <Switch
        label="View"
        value={state.view}
        values={[
          ["lines", "Lines"],
          ["patterns", "Patterns"],
        ]}
        onChange={(view) => setParams({ view: view === "lines" ? "" : view, open: "", tab: "", copies: "" })}
      />
      {state.view === "lines" && (
        <>
          <Switch
            label="Order"
            value={state.order}
            values={[
              ["ranked", "Ranked", !hasWords || state.isLive, state.isLive ? "Live lines are the newest first" : "Ranking needs words in the search"],
              ["newest", "Newest"],
            ]}
            onChange={(order) => setParams({ order: order === "newest" && hasWords ? "newest" : "", copies: "" })}
          />
          <button
            type="button"
            aria-pressed={state.isFolded}
            title="One row of lines that differ only in numbers and ids"
            onClick={() => setParams({ fold: state.isFolded ? "0" : "1", copies: "" })}
          >
            Fold {state.isFolded ? "✓" : ""}
          </button>
        </>
      )}
      <span role="status" className={styles.said}>
        {said}
      </span>
      {isAdmin && (
        <button type="button" aria-pressed={state.isDeletedShown} title="Only deleted lines, to restore them" onClick={() => setParams({ deleted: state.isDeletedShown ? "" : "only", open: "", copies: "" })}>
          Deleted
        </button>
      )}
      <SavedSearches />
      <Menu label="Export ▾" title="All lines of the search and the range">
        {FORMATS.map(([format, name, parameters = []]) => (
          <a key={format} role="menuitem" tabIndex={-1} download={`logs.${format}`} href={address("/logs/export", [...state.parameters, ["format", format], ...parameters])}>
            {name}
          </a>
        ))}
      </Menu>
    </div>
  );
}

/** The counts stand beside the list; where there is no room, they come in its place. */
function FacetsButton() {
  const [facets, setFacets] = useParam("facets");
  const isNarrow = matchMedia("(max-width: 720px)").matches;
  const isShown = isNarrow ? facets === "1" : facets !== "0";
  return (
    <button type="button" aria-pressed={isShown} aria-controls="log-facets" onClick={() => setFacets(isShown === isNarrow ? "" : isNarrow ? "1" : "0", { replace: true })}>
      Fields
    </button>
  );
}

interface SwitchProps<T extends string> {
  label: string;
  value: T;
  values: [value: T, name: string, isOff?: boolean, reason?: string][];
  onChange: (value: T) => void;
}

function Switch<T extends string>({ label, value, values, onChange }: SwitchProps<T>) {
  return (
    <div role="group" aria-label={label} className={styles.switch}>
      {values.map(([one, name, isOff = false, reason]) => (
        <button key={one} type="button" aria-pressed={one === value} disabled={isOff} title={isOff ? reason : undefined} onClick={() => onChange(one)}>
          {name}
        </button>
      ))}
    </div>
  );
}

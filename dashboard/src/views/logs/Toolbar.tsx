/** How the lines are shown: as a list or by pattern, in which order, folded; and what to do with them. */
import { useIsAdmin } from "../../api/session";
import { exportAddress } from "../../api/client";
import { useParam, useSetParams } from "../../frame/address";
import { Choice } from "../../parts/Choice";
import { CopyLink } from "../../parts/CopyLink";
import { ExportMenu } from "../../parts/ExportMenu";
import { Toolbar } from "../../parts/Toolbar";
import { Switch } from "../../parts/Tools";
import type { LogsState } from "./state";

export function LogsToolbar({ state, said }: { state: LogsState; said: string }) {
  const setParams = useSetParams();
  const isAdmin = useIsAdmin();
  const isNewOnly = useParam("new")[0] === "1";
  const hasWords = state.query.words !== "";
  const actions = (
    <>
      {isAdmin && (
        <button type="button" aria-pressed={state.isDeletedShown} title="Only deleted lines, to restore them" onClick={() => setParams({ deleted: state.isDeletedShown ? "" : "only", open: "", copies: "" })}>
          Show deleted
        </button>
      )}
      <ExportMenu what="logs" formats={["jsonl", "csv", "parquet"]} addressOf={(format) => exportAddress("/logs", state.parameters, format)} />
      <CopyLink of="view" />
    </>
  );
  const more = state.view === "lines" && (
    <>
      <Choice
        label="Order"
        chosen={state.order}
        options={[
          { value: "ranked", name: "Ranked", title: "Those first that have the words best", whyNot: hasWords ? undefined : "Ranking needs words in the search" },
          { value: "newest", name: "Newest", title: "The newest first; live shows these" },
        ]}
        onChoose={(order) => setParams({ order: order === "newest" && hasWords ? "newest" : "", live: "", copies: "" })}
      />
      <Switch isOn={state.isFolded} title="One row of lines that differ only in numbers and ids" onChange={(isOn) => setParams({ fold: isOn ? "1" : "0", copies: "" })}>
        Fold
      </Switch>
    </>
  );
  const onlyNew = state.view === "patterns" && !state.isDeletedShown && (
    <Switch isOn={isNewOnly} title="Only patterns that the period before did not have" onChange={(isOn) => setParams({ new: isOn ? "1" : "" })}>
      Only new
    </Switch>
  );
  return (
    <Toolbar label="How lines are shown" said={said} more={more || onlyNew} actions={actions}>
      <FacetsButton />
      <Choice
        label="View"
        chosen={state.view}
        options={[
          { value: "lines", name: "Lines" },
          { value: "patterns", name: "Patterns" },
        ]}
        onChoose={(view) => setParams({ view: view === "lines" ? "" : view, new: "", open: "", tab: "", copies: "" })}
      />
    </Toolbar>
  );
}

/** The counts stand beside the list; where there is no room, they come in its place. */
function FacetsButton() {
  const [facets, setFacets] = useParam("facets");
  const isNarrow = matchMedia("(max-width: 720px)").matches;
  const isShown = isNarrow ? facets === "1" : facets !== "0";
  return (
    <button type="button" aria-pressed={isShown} aria-controls={isShown ? "log-facets" : undefined} onClick={() => setFacets(isShown === isNarrow ? "" : isNarrow ? "1" : "0", { replace: true })}>
      Fields
    </button>
  );
}

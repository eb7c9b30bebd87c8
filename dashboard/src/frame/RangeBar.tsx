/** The range of time with what belongs to it; on a telephone all but the range is behind one button. */
import { namePrevious } from "../time/range";
import { Menu } from "../parts/Menu";
import { useIsNarrow } from "../parts/useIsNarrow";
import { AsOf } from "./AsOf";
import { RangePicker } from "./RangePicker";
import { SavedItems, SavedSearches } from "./SavedSearches";
import type { SavedProps } from "./SavedSearches";
import { useRangeMoves } from "./useRangeMoves";
import { useWindow } from "./window";
import styles from "./Frame.module.css";

export function RangeBar({ compares, ...saved }: SavedProps & { compares: boolean }) {
  const isNarrow = useIsNarrow();
  return (
    <section className={styles.range} aria-label="Range of time">
      <RangePicker compares={compares} />
      {isNarrow ? <Tools {...saved} /> : <Buttons compares={compares} {...saved} />}
      <AsOf />
    </section>
  );
}

function Buttons({ compares, ...saved }: SavedProps & { compares: boolean }) {
  const { range, now, refresh, isLive, setLive } = useWindow();
  const { isAtEnd, earlier, later, zoomOut } = useRangeMoves();
  return (
    <>
      <button type="button" aria-label="Earlier" title="Earlier ([)" onClick={earlier}>
        <span aria-hidden>◀</span>
      </button>
      <button type="button" aria-label="Later" title="Later (])" disabled={isAtEnd} onClick={later}>
        <span aria-hidden>▶</span>
      </button>
      <button type="button" aria-label="Zoom out" title="Zoom out (-)" onClick={zoomOut}>
        <span aria-hidden>⤢</span>
      </button>
      {compares && <span className="quiet small">compared with {namePrevious(range, now)}</span>}
      <button type="button" aria-pressed={isLive} onClick={() => setLive(!isLive)} title="Refreshes by itself (l)">
        Live <span aria-hidden>{isLive ? "●" : "○"}</span>
      </button>
      <button type="button" onClick={refresh} title="Refresh (r)">
        Refresh
      </button>
      <SavedSearches {...saved} />
    </>
  );
}

function Tools(saved: SavedProps) {
  const { refresh, isLive, setLive } = useWindow();
  const { isAtEnd, earlier, later, zoomOut } = useRangeMoves();
  const items: [name: string, run: () => void][] = [["Refresh", refresh], ["Earlier", earlier], ...(isAtEnd ? [] : [["Later", later] as [string, () => void]]), ["Zoom out", zoomOut]];
  return (
    <Menu
      label={
        <span aria-hidden>
          {isLive && "● Live "}⋯
        </span>
      }
      name={`Range, live and saved searches${isLive ? ": live is on" : ""}`}
    >
      <button type="button" role="menuitemcheckbox" aria-checked={isLive} className="plain" onClick={() => setLive(!isLive)}>
        Live <span aria-hidden>{isLive ? "●" : "○"}</span>
      </button>
      {items.map(([name, run]) => (
        <button key={name} type="button" role="menuitem" className="plain" onClick={run}>
          {name}
        </button>
      ))}
      <SavedItems {...saved} />
    </Menu>
  );
}

/** Tabs of which one is shown: arrows move between them, as do the numbers of the page. */
import { useEffect, useId } from "react";
import type { KeyboardEvent, ReactNode } from "react";
import { useKeys } from "../frame/keys";
import styles from "./Tabs.module.css";
import { useScrollHint } from "./useScrollHint";

export interface Tab {
  id: string;
  name: string;
}

interface Props {
  /** What the tabs are of, for those who cannot see them. */
  label: string;
  tabs: Tab[];
  chosen: string;
  onChoose: (id: string) => void;
  /** The class of the panel, where it is more than its content. */
  className?: string | undefined;
  children: ReactNode;
}

export function Tabs({ label, tabs, chosen, onChoose, className, children }: Props) {
  const id = useId();
  const bar = useScrollHint<HTMLDivElement>();
  // Names have counts, which come later and move what is behind them.
  const names = tabs.map((tab) => tab.name).join("\n");
  useEffect(() => {
    bar.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [bar, chosen, names]);
  useKeys(tabs.map((tab, index) => ({ keys: String(index + 1), name: `Tab “${tab.name}”`, run: () => onChoose(tab.id) })));
  const move = (event: KeyboardEvent) => {
    const at = tabs.findIndex((tab) => tab.id === chosen);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + tabs.length) % tabs.length;
    onChoose(tabs[index]?.id ?? chosen);
    bar.current?.querySelectorAll<HTMLElement>("[role=tab]")[index]?.focus();
  };
  return (
    <>
      <div ref={bar} role="tablist" tabIndex={-1} aria-label={label} className={styles.tabs} onKeyDown={move}>
        {tabs.map((tab, index) => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={`${id}-${tab.id}`}
            aria-selected={tab.id === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={tab.id === chosen ? 0 : -1}
            title={`${tab.name} (${index + 1})`}
            onClick={() => onChoose(tab.id)}
          >
            {tab.name}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`} className={className}>
        {children}
      </div>
    </>
  );
}

/** A button that opens a menu below it: arrows move in it, Escape closes it. */
import { useId, useRef } from "react";
import type { KeyboardEvent, ReactNode } from "react";
import styles from "./Menu.module.css";

export function Menu({ label, title, children }: { label: ReactNode; title?: string; children: ReactNode }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const items = [...(menu.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    items[(next + items.length) % items.length]?.focus();
  };
  return (
    <>
      <button ref={button} type="button" className="plain" popoverTarget={id} aria-haspopup="menu" title={title}>
        {label}
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        tabIndex={-1}
        className={styles.menu}
        onKeyDown={move}
        onClick={() => menu.current?.hidePopover()}
        onToggle={(event) => {
          if (event.newState !== "open" || !menu.current || !button.current) return;
          const at = button.current.getBoundingClientRect();
          menu.current.style.top = `${at.bottom + 4}px`;
          menu.current.style.left = `${Math.max(8, Math.min(at.left, innerWidth - menu.current.offsetWidth - 8))}px`;
          menu.current.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
        }}
      >
        {children}
      </div>
    </>
  );
}

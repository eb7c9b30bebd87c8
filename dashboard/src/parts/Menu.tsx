/** A button that opens a menu below it: arrows move in it, Escape closes it. */
import { useId, useRef } from "react";
import type { KeyboardEvent, ReactNode } from "react";
import styles from "./Menu.module.css";

interface Props {
  label: ReactNode;
  title?: string;
  /** What the button is called where its label is only a sign. */
  name?: string;
  /** Whether the page that is shown is one of those in it. */
  hasCurrent?: boolean;
  children: ReactNode;
}

export function Menu({ label, title, name, hasCurrent = false, children }: Props) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    if (event.key === "Tab") {
      // The focus goes back to the button, and on from there.
      menu.current?.hidePopover();
      return;
    }
    const items = [...(menu.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    items[(next + items.length) % items.length]?.focus();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className="plain"
        popoverTarget={id}
        aria-haspopup="menu"
        aria-current={hasCurrent || undefined}
        aria-label={name}
        title={title}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          menu.current?.showPopover();
        }}
      >
        {label}
      </button>
      {/* A click on one of its parts closes it; its keys are those of its parts. */}
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        aria-label={name ?? title}
        tabIndex={-1}
        className={styles.menu}
        onKeyDown={move}
        onClick={() => menu.current?.hidePopover()}
        onToggle={(event) => {
          if (event.newState !== "open" || !menu.current || !button.current) return;
          place(menu.current, button.current.getBoundingClientRect());
          menu.current.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
        }}
      >
        {children}
      </div>
    </>
  );
}

/** Puts a menu below its button, or above where there is no room below, and into the window. */
function place(menu: HTMLElement, at: DOMRect): void {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const isBelow = at.bottom + 4 + height <= innerHeight - 8 || at.top - 4 - height < 8;
  menu.style.top = `${isBelow ? at.bottom + 4 : at.top - 4 - height}px`;
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
}

/** A list, and the detail of one of its rows beside it. Where there is no room for both, the detail is a page of its own. */
import { useEffect, useId, useRef, useState } from "react";
import type { KeyboardEvent, PointerEvent, ReactNode } from "react";
import { useKeys } from "../frame/keys";
import styles from "./Panel.module.css";

interface Props {
  /** The list. It stays as it is, with its place, while the detail is shown. */
  children: ReactNode;
  /** What is open, or null. */
  detail: { title: ReactNode; actions?: ReactNode; body: ReactNode } | null;
  /** What the detail is of, for those who cannot see it: `Log line`. */
  label: string;
  onClose: () => void;
}

const KEY = "lookback.panel";
const LEAST = 25;
const MOST = 80;
const STEP = 5;

export function Panel({ children, detail, label, onClose }: Props) {
  const [width, setWidth] = useState(storedWidth);
  const box = useRef<HTMLDivElement>(null);
  const resize = (next: number) => {
    const kept = Math.round(Math.min(MOST, Math.max(LEAST, next)));
    setWidth(kept);
    try {
      localStorage.setItem(KEY, String(kept));
    } catch {
      // A browser that stores nothing starts with the width of everybody.
    }
  };
  return (
    <div ref={box} className={styles.box} data-open={detail !== null || undefined}>
      <div className={styles.list}>{children}</div>
      {detail && (
        <>
          <Divider width={width} onResize={resize} box={box} />
          <Detail label={label} width={width} onClose={onClose} {...detail} />
        </>
      )}
    </div>
  );
}

function storedWidth(): number {
  try {
    const stored = Number(localStorage.getItem(KEY));
    return stored >= LEAST && stored <= MOST ? stored : 50;
  } catch {
    return 50;
  }
}

function Detail({ label, width, title, actions, body, onClose }: { label: string; width: number; title: ReactNode; actions?: ReactNode; body: ReactNode; onClose: () => void }) {
  const close = useRef<HTMLButtonElement>(null);
  const id = useId();
  useKeys([{ keys: "Escape", name: "Close what is open", run: onClose }]);
  useEffect(() => {
    // As a page, it has the focus; beside the list, the list keeps it.
    if (!matchMedia("(max-width: 720px)").matches) return;
    const before = document.activeElement;
    close.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <section data-has-arrows className={styles.detail} aria-label={label} id={id} style={{ flexBasis: `${width}%` }}>
      <header className={styles.head}>
        <div className={styles.title}>{title}</div>
        {actions && <div className={styles.actions}>{actions}</div>}
        <button ref={close} type="button" className="plain" aria-label="Close" title="Close (esc)" onClick={onClose}>
          ✕
        </button>
      </header>
      {/* Who reads here, after a click or by Tab, scrolls it by the arrows. */}
      <div className={styles.body} tabIndex={-1}>
        {body}
      </div>
    </section>
  );
}

/** What one drags, or moves by arrows, to give the detail more room. */
function Divider({ width, onResize, box }: { width: number; onResize: (width: number) => void; box: React.RefObject<HTMLDivElement | null> }) {
  const drag = (event: PointerEvent) => {
    const whole = box.current?.getBoundingClientRect();
    if (whole && event.currentTarget.hasPointerCapture(event.pointerId)) onResize(((whole.right - event.clientX) / whole.width) * 100);
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    onResize(width + by);
  };
  return (
    // A separator that can be moved is a control (WAI-ARIA, window splitter); the rule knows only the other kind.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the detail"
      aria-valuenow={width}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      className={styles.divider}
      onKeyDown={press}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
    />
  );
}

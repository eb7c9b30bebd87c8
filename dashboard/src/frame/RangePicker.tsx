/** The range of time of the view: common ones, and others as they are typed. Keys move it, too. */
import { useEffect, useId, useRef, useState } from "react";
import { COMMON_RANGES, formatRange, namePrevious, nameRange, parseRange } from "../time/range";
import type { Range } from "../time/range";
import { formatTyped, formatUtc, readTyped } from "../time/typed";
import { parseWhen } from "../time/when";
import { useKeys } from "./keys";
import styles from "./RangePicker.module.css";
import { useRangeMoves } from "./useRangeMoves";
import { useWindow } from "./window";

export function RangePicker({ compares }: { compares: boolean }) {
  const { range, setRange, from, until, now } = useWindow();
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const { isAtEnd, earlier, later, zoomOut } = useRangeMoves();
  const group = "Range";
  useKeys([
    { keys: "t", name: "Choose the range", group, run: () => panel.current?.showPopover() },
    { keys: "[", name: "Earlier", group, run: earlier },
    { keys: "]", name: "Later", group, run: () => !isAtEnd && later() },
    { keys: "-", name: "Zoom out", group, run: zoomOut },
  ]);

  useEffect(() => {
    if (isOpen) panel.current?.querySelector<HTMLElement>("[aria-pressed=true], input")?.focus();
  }, [isOpen]);

  function choose(next: Range): void {
    panel.current?.hidePopover();
    button.current?.focus();
    setRange(next);
  }

  return (
    <>
      <button ref={button} type="button" className={styles.name} popoverTarget={id} aria-haspopup="dialog" title={`${formatUtc(from)} to ${formatUtc(until)} (t)`}>
        {nameRange(range)} <span aria-hidden>▾</span>
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="dialog"
        aria-label="Range of time"
        className={styles.panel}
        onToggle={(event) => {
          setOpen(event.newState === "open");
          if (event.newState !== "open" || !panel.current || !button.current) return;
          const at = button.current.getBoundingClientRect();
          panel.current.style.top = `${at.bottom + 4}px`;
          panel.current.style.left = `${Math.max(8, Math.min(at.left, innerWidth - panel.current.offsetWidth - 8))}px`;
        }}
      >
        {isOpen && (
          <>
            <div className={styles.common} role="group" aria-label="Common ranges">
              {COMMON_RANGES.map((text) => {
                const one = parseRange(text);
                return (
                  one && (
                    <button key={text} type="button" aria-pressed={formatRange(one) === formatRange(range)} onClick={() => choose(one)}>
                      {nameRange(one)}
                    </button>
                  )
                );
              })}
            </div>
            <TypedRange range={range} from={from} until={until} now={now} onChoose={choose} />
            {compares && <p className={`quiet small ${styles.compared ?? ""}`}>Compared with {namePrevious(range, now)}.</p>}
          </>
        )}
      </div>
    </>
  );
}

function TypedRange({ range, from, until, now, onChoose }: { range: Range; from: Date; until: Date; now: Date; onChoose: (range: Range) => void }) {
  const isLast = range.kind === "last";
  const [first, setFirst] = useState(isLast ? `-${range.amount}${range.unit}` : formatTyped(from));
  const [last, setLast] = useState(isLast ? "now" : formatTyped(until));
  const [isTried, setTried] = useState(false);
  const read = readTyped(first, last, now);
  const wrong = "wrong" in read ? read : null;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <form
      className={styles.typed}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        // Relative to the time at which it is asked for.
        const asked = readTyped(first, last, new Date());
        if ("range" in asked) onChoose(asked.range);
        else event.currentTarget.querySelector<HTMLElement>(`[name=${asked.wrong}]`)?.focus();
      }}
    >
      <Time name="from" label="From" value={first} onChange={setFirst} now={now} wrong={wrong?.wrong === "from" ? wrong.text : null} isTried={isTried} />
      <Time name="until" label="Until" value={last} onChange={setLast} now={now} wrong={wrong?.wrong === "until" ? wrong.text : null} isTried={isTried} exact={wrong ? undefined : read} />
      <p className="quiet small">
        In {zone}: <span className="data">2026-11-29 10:00</span>, <span className="data">10:00</span>, <span className="data">-2h</span>, <span className="data">yesterday</span>. Of another zone: <span className="data">2026-11-29 10:00+02:00</span>. Unix time,
        in seconds, is read, too.
      </p>
      <button type="submit" className="primary">
        Show
      </button>
    </form>
  );
}

interface TimeProps {
  name: "from" | "until";
  label: string;
  value: string;
  onChange: (text: string) => void;
  now: Date;
  wrong: string | null;
  isTried: boolean;
  /** The range as it was read, whose end may be that of a day. */
  exact?: ReturnType<typeof readTyped> | undefined;
}

function Time({ name, label, value, onChange, now, wrong, isTried, exact }: TimeProps) {
  const id = useId();
  const when = exact && "range" in exact ? exact.until : parseWhen(value === "" ? "now" : value, now)?.from;
  // What is still being typed is not wrong yet.
  const isWrong = wrong !== null && (isTried || value.length > 3);
  return (
    <div className={styles.time}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        name={name}
        className="data"
        value={value}
        autoComplete="off"
        spellCheck={false}
        aria-invalid={isWrong}
        aria-describedby={`${id}note`}
        onFocus={(event) => event.target.select()}
        onChange={(event) => onChange(event.target.value)}
      />
      <span id={`${id}note`} className={isWrong ? styles.wrong : "quiet small"} aria-live="polite">
        {isWrong ? wrong : when ? formatUtc(when) : "\u00a0"}
      </span>
    </div>
  );
}

/** What a chart shows at a time: beside the cursor, or as a line above the chart. */
import { inFull } from "../../time/format";
import { shortLine } from "../text";
import type { Mark } from "./plot";
import { unfinished } from "./series";
import type { Series } from "./series";
import styles from "../Chart.module.css";

/** Where the cursor is. */
export interface Cursor {
  index: number;
  /** The place of the bucket from the left of the chart, in pixels. */
  left: number;
  /** The value that is pointed at, where the mouse is. */
  value: number | null;
  /** Whether it is in the upper half of the chart. */
  isUpper: boolean;
  /** The part that is being chosen, in milliseconds, and its middle in pixels. */
  chosen: { from: number; until: number; middle: number } | null;
}

const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** About half of how wide two times are, in pixels. */
const CHOSEN_HALF = 80;

function valueAt(series: Series, index: number, format: (value: number) => string): string {
  const value = series.values[index];
  return value === null || value === undefined ? "–" : format(value);
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** What is to know of a bucket that goes on: `counted until 12:03:43`. */
function untilWhen(times: number[], until: number, index: number): string | null {
  return index === unfinished(times, until) ? `counted until ${CLOCK.format(until)}` : null;
}

/** `29 Nov, 12:03:00: ok 12, failed 3`, for those who hear it. */
export function say(times: number[], until: number, series: Series[], index: number, format: (value: number) => string): string {
  const time = times[index];
  if (time === undefined) return "";
  const end = untilWhen(times, until, index);
  return `${DAY_AND_TIME.format(time)}${end === null ? "" : `, ${end}`}: ${series.map((one) => `${one.name} ${valueAt(one, index, format)}`).join(", ")}`;
}

interface FloatProps {
  cursor: Cursor;
  width: number;
  times: number[];
  until: number;
  series: Series[];
  marks: Mark[];
  format: (value: number) => string;
  note?: string | null | undefined;
}

/** How far the box is from the cursor; where values are pointed at, what is around the pointer stays in sight. */
const [APART, FAR_APART] = [16, 48];

/** A box beside the cursor, on the side with more room. Where values are pointed at, it is in the other half, too. */
export function Float({ cursor, width, times, until, series, marks, format, note }: FloatProps) {
  const time = times[cursor.index];
  if (time === undefined) return null;
  const next = times[cursor.index + 1] ?? Infinity;
  const isRight = cursor.left < width / 2;
  const apart = cursor.value === null ? APART : FAR_APART;
  const side = isRight ? { left: cursor.left + apart } : { right: width - cursor.left + apart };
  const end = untilWhen(times, until, cursor.index);
  const here = marks.filter((mark) => mark.at >= time && mark.at < next);
  return (
    <div className={styles.float} style={cursor.value !== null && cursor.isUpper ? { ...side, top: "auto", bottom: 28 } : side} aria-hidden>
      <div>{DAY_AND_TIME.format(time)}</div>
      <div className="quiet">{inFull(new Date(time).toISOString()).split("\n", 1)[0]}</div>
      {end !== null && <div>{end}</div>}
      {here.map((mark) => (
        <div key={mark.name}>
          <bdi>{shortLine(mark.name, 40)}</bdi> {mark.note}
        </div>
      ))}
      {note && <div>{note}</div>}
      <dl className={styles.values}>
        {series.map((one) => (
          <div key={one.name}>
            <dt>
              <Swatch series={one} /> {one.name}
            </dt>
            <dd>{valueAt(one, cursor.index, format)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** The part that is being chosen: below the chart, since its bars are what one chooses by. */
export function Chosen({ chosen: { from, until, middle }, width }: { chosen: NonNullable<Cursor["chosen"]>; width: number }) {
  const isRight = middle < width / 2;
  return (
    <div className={`${styles.float ?? ""} ${styles.chosen ?? ""}`} style={isRight ? { left: Math.max(middle - CHOSEN_HALF, 0) } : { right: Math.max(width - middle - CHOSEN_HALF, 0) }} aria-hidden>
      {DAY_AND_TIME.formatRange(from, until)}
    </div>
  );
}

/** The names of the series, with their values at the cursor. It always has the same height. */
export function Legend({ cursor, series, format }: { cursor: Cursor | null; series: Series[]; format: (value: number) => string }) {
  return (
    <dl className={styles.legend} aria-hidden>
      {series.map((one) => (
        <div key={one.name}>
          <dt>
            <Swatch series={one} /> {one.name}
          </dt>
          <dd className={cursor === null && one.isStrong === true ? styles.strong : undefined}>{cursor === null ? (one.summary ?? "") : valueAt(one, cursor.index, format)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Swatch({ series }: { series: Series }) {
  const isLine = series.shape === "line" || series.dash !== undefined || series.width !== undefined || series.endLabel !== undefined;
  return (
    <svg className={styles.swatch} width="12" height="8" aria-hidden>
      {isLine ? (
        <line x1="0" y1="4" x2="12" y2="4" style={{ stroke: `var(${series.colour})`, strokeWidth: series.width ?? 1.5, strokeDasharray: series.dash?.map((part) => part / 2).join(" ") }} />
      ) : (
        <rect width="8" height="8" style={{ fill: `var(${series.colour})` }} />
      )}
    </svg>
  );
}

/**
 * A chart over time by uPlot: stacked bars, or lines, or both. Dragging chooses a part of it; the
 * arrows move its cursor, with Shift they choose, and Enter takes what is chosen. Its values are a
 * table, too.
 */
import { useEffect, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTheme } from "../frame/theme";
import { soon, useWasInSight } from "./chart/inSight";
import { LEAST_CHOSEN, options } from "./chart/plot";
import type { Colour, Mark, Shown } from "./chart/plot";
import { Chosen, Float, Legend, say } from "./chart/Readout";
import type { Cursor } from "./chart/Readout";
import { columns } from "./chart/series";
import type { Series } from "./chart/series";
import { ValueTable } from "./chart/ValueTable";
import styles from "./Chart.module.css";

export type { Series } from "./chart/series";
export type { Mark } from "./chart/plot";

interface Props {
  /** What the chart shows, for those who cannot see it. */
  label: string;
  /** The starts of the buckets, in milliseconds. */
  times: number[];
  series: Series[];
  kind: "bars" | "lines";
  /** The ends of the axis of time, in milliseconds. */
  from: number;
  until: number;
  height?: number;
  format?: (value: number) => string;
  /** Times with a mark and what they mean, such as a new version. */
  marks?: Mark[];
  /** Charts of the same group have their cursors at the same time. */
  group?: string;
  /** Called with what is dragged over; `isOut` with Shift. */
  onZoom?: (from: Date, until: Date, isOut: boolean) => void;
  /** Called for the bucket that is clicked, with the value at the pointer; by keys there is none. */
  onPick?: (from: Date, until: Date, value: number | null) => void;
  /** Whether the axis of values is logarithmic. */
  isLog?: boolean;
  /** The ends of the axis of values, where they are not those of the values. */
  range?: [number, number];
  /** Where the values at the cursor are shown: beside it, or in a line above the chart. */
  readout?: "float" | "line";
  /** Draws below the series, such as the cells of a heat map. */
  paint?: (chart: uPlot, colour: Colour) => void;
  /** A further line of the readout. */
  noteAt?: (index: number, value: number | null) => string | null;
}

const NO_MARKS: Mark[] = [];

export function Chart(props: Props) {
  const { label, times, series, kind, from, until, height = 96, format = String, marks = NO_MARKS, group, onZoom, onPick, isLog = false, range, readout = "float", paint, noteAt } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  // A chart stays until the one that takes its place is drawn.
  const old = useRef<uPlot | null>(null);
  const isShift = useRef(false);
  const [cursor, setCursor] = useState<Cursor | null>(null);
  const [width, setWidth] = useState(0);
  const [theme] = useTheme();
  const wasSeen = useWasInSight(box);

  const latest = useRef<Props & Shown>({ ...props, format, marks });
  useEffect(() => {
    latest.current = { ...props, format, marks };
  });

  // What needs another chart; all else is drawn by the same one.
  const canZoom = onZoom !== undefined;
  const canPick = onPick !== undefined;
  const shape = JSON.stringify([kind, isLog, group, canZoom, canPick, theme, series.map((one) => [one.name, one.colour, one.dash, one.shape, one.width, one.endLabel])]);

  useEffect(() => {
    const place = box.current;
    if (!place || !wasSeen) return;
    let chart: uPlot | undefined;
    const draw = () => {
      const now = latest.current;
      old.current?.destroy();
      old.current = null;
      chart = new uPlot(
        options({
          kind,
          isLog,
          canZoom,
          group,
          width: Math.max(place.clientWidth, 50),
          height: now.height ?? 96,
          colour: (name) => resolveColour(place, name, theme),
          shown: () => latest.current,
          onSelect: (start, end) => latest.current.onZoom?.(start, end, isShift.current),
          onCursor: (drawn) => setCursor((before) => cursorOf(drawn, place, before, latest.current)),
        }),
        columns(now.times, now.until, now.series, kind, isLog),
        place,
      );
      plot.current = chart;
      setWidth(place.clientWidth);
      // A click at the end of a drag does not get here: uPlot stops it.
      if (canPick) {
        const { over } = chart;
        over.style.cursor = "pointer";
        over.addEventListener("click", (event) => {
          if (!chart) return;
          const { left, top } = over.getBoundingClientRect();
          // The bucket that the pointer is in, and not the start that it is nearest to.
          const time = chart.posToVal(event.clientX - left, "x") * 1000;
          const index = latest.current.times.findLastIndex((start) => start <= time);
          if (index >= 0) pickBucket(latest.current, index, chart.posToVal(event.clientY - top, "y"));
        });
      }
    };
    const callOff = soon(draw);
    const watcher = new ResizeObserver(() => {
      const now = Math.max(place.clientWidth, 50);
      if (!chart || chart.width === now) return;
      chart.setSize({ width: now, height: chart.height });
      setWidth(now);
    });
    watcher.observe(place);
    return () => {
      callOff();
      watcher.disconnect();
      if (chart) old.current = chart;
      plot.current = null;
      setCursor(null);
    };
    // `shape` stands for the series, and all else that is read here is the newest.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, wasSeen]);

  useEffect(
    () => () => {
      old.current?.destroy();
      old.current = null;
    },
    [],
  );

  useEffect(() => {
    const chart = plot.current;
    if (!chart) return;
    if (chart.height !== height) chart.setSize({ width: chart.width, height });
    chart.setData(columns(times, until, series, kind, isLog));
  }, [times, series, from, until, marks, format, height, range, paint, kind, isLog]);

  const [start, setStart] = useState<number | null>(null);
  // Whether the cursor is where the keys put it.
  const isByKeys = useRef(false);
  const leave = () => {
    setStart(null);
    if (plot.current && isByKeys.current) unpoint(plot.current);
    isByKeys.current = false;
  };
  const press = (event: KeyboardEvent) => {
    const chart = plot.current;
    if (!chart || times.length === 0) return;
    const at = cursor?.index ?? -1;
    const next = { ArrowRight: Math.min(at + 1, times.length - 1), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: times.length - 1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      const first = event.shiftKey && canZoom ? (start ?? Math.max(at, 0)) : null;
      setStart(first);
      isByKeys.current = true;
      point(chart, next, first, { times, until });
    } else if (event.key === "Escape" && isByKeys.current) {
      event.preventDefault();
      leave();
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      if (start !== null && onZoom) {
        const [low, high] = [Math.min(start, at), Math.max(start, at)];
        onZoom(new Date(times[low] ?? from), new Date(times[high + 1] ?? until), event.shiftKey);
        leave();
      } else pickBucket(latest.current, at);
    }
  };

  return (
    <div className={styles.chart}>
      {readout === "line" && <Legend cursor={cursor} series={series} format={format} />}
      <div
        ref={box}
        className={styles.box}
        style={{ height }}
        // A slider is what arrows move along values; it has a text for each of them.
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(times.length - 1, 0)}
        aria-valuenow={Math.max(cursor?.index ?? 0, 0)}
        aria-valuetext={cursor === null ? "No time chosen" : say(times, until, series, cursor.index, format)}
        onKeyDown={press}
        onBlur={leave}
        onMouseDown={(event) => {
          isShift.current = event.shiftKey;
        }}
      />
      {cursor?.chosen && <Chosen chosen={cursor.chosen} width={width} />}
      {readout === "float" && cursor && cursor.chosen === null && <Float cursor={cursor} width={width} times={times} until={until} series={series} marks={marks} format={format} note={noteAt?.(cursor.index, cursor.value)} />}
      <ValueTable label={label} times={times} series={series} format={format} />
    </div>
  );
}

/** Points at a bucket by the keys, and shows what is chosen from another bucket to it. */
function point(chart: uPlot, index: number, first: number | null, { times, until }: Pick<Props, "times" | "until">): void {
  const leftOf = (time: number) => Math.max(chart.valToPos(Math.min(time, until) / 1000, "x"), 0);
  const [low, high] = [Math.min(first ?? index, index), Math.max(first ?? index, index)];
  const left = leftOf(times[low] ?? 0);
  chart.setSelect(first === null ? { left: 0, top: 0, width: 0, height: 0 } : { left, top: 0, width: leftOf(times[high + 1] ?? until) - left, height: chart.over.clientHeight }, false);
  // The last, since what is shown at the cursor is read then.
  setCursorOfAll(chart, { left: leftOf((chart.data[0][index] ?? 0) * 1000), top: 4 });
}

/** Sets the cursor of a chart, and of those in its group: the types of uPlot lack that parameter. */
function setCursorOfAll(chart: uPlot, at: { left: number; top: number }): void {
  (chart.setCursor as (at: { left: number; top: number }, fireHook: boolean, isForAll: boolean) => void)(at, true, true);
}

function unpoint(chart: uPlot): void {
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  setCursorOfAll(chart, { left: -10, top: -10 });
}

function pickBucket({ times, until, onPick }: Props, index: number, value: number | null = null): void {
  const start = times[index];
  if (start !== undefined) onPick?.(new Date(start), new Date(Math.min(times[index + 1] ?? until, until)), value);
}

function cursorOf(chart: uPlot, place: HTMLElement, before: Cursor | null, { readout, noteAt }: Props): Cursor | null {
  const { left, top, idx: index } = chart.cursor;
  const isOwn = place.matches(":hover, :focus");
  if (index === null || index === undefined || left === undefined || left < 0 || (readout !== "line" && !isOwn)) return null;
  const value = noteAt && top !== undefined && top >= 0 ? chart.posToVal(top, "y") : null;
  const chosen = chosenOf(chart);
  const isUpper = top !== undefined && top < chart.over.clientHeight / 2;
  if (before?.index === index && before.value === value && before.isUpper === isUpper && before.chosen?.from === chosen?.from && before.chosen?.until === chosen?.until) return before;
  return { index, left: chart.valToPos(chart.data[0][index] ?? 0, "x") + chart.over.offsetLeft, value, isUpper, chosen };
}

/** The part that is being chosen, by dragging or by keys. */
function chosenOf(chart: uPlot): Cursor["chosen"] {
  const { left, width } = chart.select;
  if (width < LEAST_CHOSEN) return null;
  const at = (x: number) => chart.posToVal(x, "x") * 1000;
  return { from: at(left), until: at(left + width), middle: left + width / 2 + chart.over.offsetLeft };
}

/** The colours of each theme: to resolve one takes a look at the styles of the page. */
const colours = new Map<string, string>();

/** Resolves `light-dark(…)` of a custom property, which a canvas does not know. */
function resolveColour(place: HTMLElement, name: string, theme: string): string {
  const key = `${theme} ${name}`;
  const known = colours.get(key);
  if (known !== undefined) return known;
  place.style.color = `var(${name})`;
  const colour = getComputedStyle(place).color;
  place.style.color = "";
  colours.set(key, colour);
  return colour;
}

/** The drawing of a chart by uPlot: its axes, series and marks, all in the colours of the theme. */
import uPlot from "uplot";
import { shortLine } from "../text";
import { areWhole, timeLabels, timeRoom, valueSteps } from "./axis";
import { clearOfStart, drawEnds } from "./ends";
import type { Ticks } from "./ends";
import { isBar, lonely, unfinished } from "./series";
import type { Series } from "./series";

export interface Mark {
  at: number;
  /** Stands at the mark; an empty one leaves the line alone. */
  name: string;
  /** What the readout adds to the name, such as `first seen`. */
  note?: string;
}

/** What is drawn now. It is read for every frame, so that new values need no new chart. */
export interface Shown {
  times: number[];
  series: Series[];
  from: number;
  until: number;
  format: (value: number) => string;
  marks: Mark[];
  /** The ends of the axis of values; without them, they fit the values. */
  range?: [number, number] | undefined;
  /** Draws below the series. */
  paint?: ((chart: uPlot, colour: Colour) => void) | undefined;
}
export type Colour = (name: string) => string;

interface Setup {
  kind: "bars" | "lines";
  isLog: boolean;
  canZoom: boolean;
  group: string | undefined;
  width: number;
  height: number;
  colour: Colour;
  shown: () => Shown;
  onSelect: (from: Date, until: Date) => void;
  onCursor: (chart: uPlot) => void;
}

/** How far one drags at least to choose a part, in pixels: a click moves a little, too. */
export const LEAST_CHOSEN = 4;
/** How far apart ticks of values are at least, in pixels. */
const TICK_ROOM = 22;
/** The room of labels of values, and that on the right, in pixels. */
const VALUES_ROOM = 60;
const RIGHT_ROOM = 28;
/** So few bars are wide. */
const FEW_BARS = 20;
const fontOf = (size: number) => `${size}px system-ui, sans-serif`;
const FONT = fontOf(12);

export function options({ kind, isLog, canZoom, group, width, height, colour, shown, onSelect, onCursor }: Setup): uPlot.Options {
  const quiet = colour("--quiet");
  let ticks: Ticks = { at: [], step: 1 };
  const labels = (chart: uPlot, at: number[], step: number) => {
    const { from, until } = shown();
    const x = (time: number) => ((time * 1000 - from) / (until - from)) * (chart.width - VALUES_ROOM - RIGHT_ROOM);
    ticks = clearOfStart({ at, step }, new Date(), x);
    const texts = new Map(timeLabels(ticks.at, step, new Date()).map((text, index) => [ticks.at[index], text]));
    return at.map((tick) => texts.get(tick) ?? "");
  };
  const hasBars = shown().series.some((one) => isBar(one, kind));
  return {
    width,
    height,
    legend: { show: false },
    // The same room on the right for all, so that charts below each other have the same axis of time.
    padding: [8, RIGHT_ROOM, 0, 0],
    scales: {
      x: { time: true, range: () => [shown().from / 1000, shown().until / 1000] },
      // uPlot types the number as an ambient enum, which a module of its own cannot import.
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
      y: { distr: isLog ? 3 : 1, range: (_, low, high) => shown().range ?? rangeOf(low, high, isLog) },
    },
    cursor: {
      y: false,
      drag: { x: canZoom, y: false, setScale: false },
      points: { show: !hasBars, size: 5 },
      // The cursor of the others follows, but what is chosen by dragging is of one chart.
      ...(group === undefined ? {} : { sync: { key: group, setSeries: false, filters: { pub: (type: string) => type === "mousemove" || type === "mouseleave" } } }),
    },
    axes: [
      { stroke: quiet, grid: { show: false }, ticks: { show: false }, size: 22, gap: 4, font: FONT, values: (chart, at, _, __, step) => labels(chart, at, step), space: (_, __, from, until) => timeRoom(from, until) },
      {
        stroke: quiet,
        // Cells that are painted have no lines through them.
        grid: { show: shown().paint === undefined, stroke: colour("--line"), width: 1 },
        ticks: { show: false },
        size: VALUES_ROOM,
        gap: 4,
        font: FONT,
        // Low charts have a tick beside zero, too.
        space: (_, __, ___, ____, room) => Math.min(TICK_ROOM, room / 2.5),
        ...(isLog ? {} : { incrs: () => valueSteps(areWhole(shown().series)) }),
        values: (_, ticks) => ticks.map((tick) => shown().format(tick)),
        ...(isLog ? { splits: (chart: uPlot, _: number, low: number, high: number) => logTicks(low, high, chart.bbox.height / uPlot.pxRatio / TICK_ROOM), filter: (_: uPlot, ticks: number[]) => ticks } : {}),
      },
    ],
    // Each bar reaches down to the one below it: where they lay over each other, their edges would mix.
    bands: bandsOf(shown().series.map((one) => isBar(one, kind))),
    series: [{}, ...shown().series.map((one) => seriesOptions(one, isBar(one, kind), colour))],
    hooks: {
      drawClear: [(chart) => shown().paint?.(chart, colour)],
      draw: [
        (chart) => hasBars && drawUnfinished(chart, shown(), colour),
        (chart) => drawMarks(chart, shown().marks, colour),
        (chart) => drawEndLabels(chart, shown().series, colour),
        (chart) => drawEnds(chart, ticks, [shown().from / 1000, shown().until / 1000], quiet, fontOf),
      ],
      setSelect: [
        (chart) => {
          const { left, width: chosen } = chart.select;
          if (chosen < LEAST_CHOSEN) return;
          const at = (x: number) => new Date(chart.posToVal(x, "x") * 1000);
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onSelect(at(left), at(left + chosen));
        },
      ],
      setCursor: [onCursor],
    },
  };
}

function bandsOf(bars: boolean[]): uPlot.Band[] {
  return bars.flatMap((isOfBars, index): uPlot.Band[] => (isOfBars && bars[index + 1] === true ? [{ series: [index + 1, index + 2], dir: -1 }] : []));
}

function seriesOptions(one: Series, isOfBars: boolean, colour: Colour): uPlot.Series {
  const stroke = colour(one.colour);
  const [narrow, wide] = [uPlot.paths.bars?.({ size: [0.9] }), uPlot.paths.bars?.({ size: [1], gap: 2 })];
  if (isOfBars && narrow && wide) {
    // The gap beside a wide bar is no time without requests.
    const bars: uPlot.Series.PathBuilder = (chart, ...rest) => (chart.data[0].length < FEW_BARS ? wide : narrow)(chart, ...rest);
    return { label: one.name, stroke, fill: stroke, width: 0, points: { show: false }, paths: bars };
  }
  return {
    label: one.name,
    stroke,
    width: one.width ?? 1.5,
    points: { show: false, size: 4, fill: stroke, filter: (chart, index) => lonely(chart.data[index] ?? []) },
    ...(one.dash ? { dash: one.dash } : {}),
  };
}

/** Ticks of a logarithmic axis: 1, 2 and 5 of each power of ten, or fewer where there is no room. */
export function logTicks(low: number, high: number, most: number): number[] {
  const powers = Array.from({ length: 12 }, (_, index) => 10 ** (index - 1));
  const within = (digits: number[]) => powers.flatMap((power) => digits.map((digit) => digit * power)).filter((tick) => tick >= low && tick <= high);
  const fine = within([1, 2, 5]);
  if (fine.length <= most) return fine;
  const coarse = within([1]);
  const step = Math.max(Math.ceil(coarse.length / Math.max(most, 1)), 1);
  return coarse.filter((_, index) => index % step === 0);
}

function rangeOf(low: number | null, high: number | null, isLog: boolean): [number, number] {
  if (!isLog) return [0, high !== null && high > 0 ? high * 1.05 : 1];
  if (low === null || high === null || low <= 0) return [1, 100];
  const [from, until] = uPlot.rangeLog(low, Math.max(high, low * 2), 10, false);
  return [from ?? low, until ?? high];
}

/** Makes the bar paler that is not over: it is low because it is a part, and not because there was less. */
function drawUnfinished(chart: uPlot, { times, until }: Shown, colour: Colour): void {
  const last = unfinished(times, until);
  if (last === null) return;
  const { ctx, bbox } = chart;
  const left = Math.max(chart.valToPos((times[last] ?? 0) / 1000, "x", true), bbox.left);
  ctx.save();
  ctx.globalAlpha = 0.55;
  ctx.fillStyle = colour("--ground");
  ctx.fillRect(left, bbox.top, bbox.left + bbox.width - left, bbox.height);
  ctx.restore();
}

function drawMarks(chart: uPlot, marks: Mark[], colour: Colour): void {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.fillStyle = colour("--text");
  ctx.font = fontOf(11 * ratio);
  ctx.textAlign = "left";
  let free = -Infinity;
  for (const mark of [...marks].sort((a, b) => a.at - b.at)) {
    const x = chart.valToPos(mark.at / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.lineWidth = ratio;
    ctx.strokeStyle = colour("--strong-line");
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const name = shortLine(mark.name, 16);
    const width = ctx.measureText(name).width;
    if (name === "") continue;
    const isAtEnd = x + width + 8 * ratio > bbox.left + bbox.width;
    const [left, top] = [isAtEnd ? x - width - 4 * ratio : x + 4 * ratio, bbox.top + 10 * ratio];
    // A name is left out where it would lie over the one before it.
    if (left < free) continue;
    free = left + width + 4 * ratio;
    // A ground around the letters, so that they are read over bars and lines.
    ctx.setLineDash([]);
    ctx.lineWidth = 4 * ratio;
    ctx.lineJoin = "round";
    ctx.strokeStyle = colour("--ground");
    ctx.strokeText(name, left, top);
    ctx.fillText(name, left, top);
  }
  ctx.restore();
}

function drawEndLabels(chart: uPlot, series: Series[], colour: Colour): void {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.font = fontOf(11 * ratio);
  ctx.textAlign = "left";
  const taken: number[] = [];
  series.forEach((one, index) => {
    const values = chart.data[index + 1] ?? [];
    let last = values.length - 1;
    while (last >= 0 && (values[last] === null || values[last] === undefined)) last--;
    const value = values[last];
    if (one.endLabel === undefined || value === null || value === undefined) return;
    const y = Math.min(Math.max(chart.valToPos(value, "y", true), bbox.top + 6 * ratio), bbox.top + bbox.height - 8 * ratio);
    if (taken.some((other) => Math.abs(other - y) < 11 * ratio)) return;
    taken.push(y);
    ctx.fillStyle = colour(one.colour);
    ctx.fillText(one.endLabel, bbox.left + bbox.width + 3 * ratio, y + 4 * ratio);
  });
  ctx.restore();
}

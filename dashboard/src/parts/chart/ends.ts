/** The two ends of an axis of time, labelled where the round times beside them leave room. */
import uPlot from "uplot";
import { timeLabels } from "./axis";

/** The space between two labels, in pixels. */
const GAP = 12;

export interface Ticks {
  /** In seconds, ascending. */
  at: number[];
  step: number;
}

/** About half of the width of a letter. */
const HALF_LETTER = 3.5;

/** The ticks whose labels, in the middle below them, do not reach left of the axis: there is the lowest value. `x` is from its start. */
export function clearOfStart(ticks: Ticks, now: Date, x: (time: number) => number): Ticks {
  const texts = timeLabels(ticks.at, ticks.step, now);
  return { ...ticks, at: ticks.at.filter((tick, index) => x(tick) >= (texts[index] ?? "").length * HALF_LETTER) };
}

interface End {
  text: string;
  /** The middle of its label. */
  x: number;
}

/** The labels of the ends that overlap no tick and not each other. `x` and `width` are in pixels. */
export function endLabels(ticks: Ticks, [from, until]: [number, number], now: Date, x: (time: number) => number, width: (text: string) => number): End[] {
  const texts = timeLabels(ticks.at, ticks.step, now);
  const taken = ticks.at.map((tick, index) => ({ x: x(tick), half: width(texts[index] ?? "") / 2 }));
  const first = timeLabels([from], ticks.step, now)[0] ?? "";
  const last = timeLabels([...(ticks.at.length > 0 ? ticks.at : [from]), until], ticks.step, now).at(-1) ?? "";
  const ends: [place: number, text: string][] = [
    // It begins where the axis does: left of it is the lowest value.
    [x(from) + width(first) / 2, first],
    [x(until), last],
  ];
  return ends.flatMap(([place, text]) => {
    const half = width(text) / 2;
    if (taken.some((other) => Math.abs(other.x - place) < other.half + half + GAP)) return [];
    taken.push({ x: place, half });
    return [{ text, x: place }];
  });
}

export function drawEnds(chart: uPlot, ticks: Ticks, ends: [number, number], colour: string, font: (size: number) => string): void {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.font = font(12 * ratio);
  ctx.fillStyle = colour;
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  const width = (text: string) => ctx.measureText(text).width / ratio;
  for (const { text, x } of endLabels(ticks, ends, new Date(), (time) => chart.valToPos(time, "x", true) / ratio, width)) {
    // A long one at the right goes as far as the edge.
    const middle = Math.min(x, ctx.canvas.width / ratio - width(text) / 2 - 1);
    ctx.fillText(text, middle * ratio, bbox.top + bbox.height + 4 * ratio);
  }
  ctx.restore();
}

/** A chart over time by uPlot: stacked bars, or lines. Dragging chooses a part of it. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import styles from "./Chart.module.css";

export interface Series {
  name: string;
  /** A custom property of the style, such as `--error-fill`. */
  colour: string;
  values: (number | null)[];
  dash?: number[];
}

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
  marks?: { at: number; name: string }[];
  /** Charts of the same group have their cursors at the same time. */
  group?: string;
  onZoom?: (from: Date, until: Date, isAdded: boolean) => void;
}

export function Chart({ label, times, series, kind, from, until, height = 96, format = String, marks = [], group, onZoom }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const zoom = useRef(onZoom);
  useEffect(() => {
    zoom.current = onZoom;
  });
  useEffect(() => {
    const place = box.current;
    if (!place) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => resolveColour(place, style.getPropertyValue(name));
    const isBars = kind === "bars";
    const stacked = isBars ? stack(series) : series.map((one) => one.values);
    let isShift = false;
    const chart = new uPlot(
      {
        width: Math.max(place.clientWidth, 50),
        height,
        legend: { show: false },
        padding: [8, 8, 0, 0],
        scales: { x: { time: true, range: [from / 1000, until / 1000] }, y: { range: (_, _low, high) => [0, high > 0 ? high * 1.05 : 1] } },
        cursor: { drag: { x: onZoom !== undefined, y: false, setScale: false }, ...(group === undefined ? {} : { sync: { key: group } }), points: { show: !isBars } },
        axes: [
          { stroke: colour("--quiet"), grid: { show: false }, ticks: { show: false }, size: 24, font: "12px system-ui" },
          { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, size: 56, font: "12px system-ui", values: (_, ticks) => ticks.map(format) },
        ],
        series: [
          {},
          ...series.map((one, index): uPlot.Series => ({
            label: one.name,
            stroke: colour(one.colour),
            width: isBars ? 0 : 1.5,
            points: { show: false },
            ...(one.dash ? { dash: one.dash } : {}),
            ...(isBars ? { fill: colour(one.colour), paths: uPlot.paths.bars?.({ size: [0.9, 40], align: 1 }) as uPlot.Series.PathBuilder } : {}),
            value: (_, __, ___, at) => format(at === null ? 0 : (series[index]?.values[at] ?? 0)),
          })),
        ],
        hooks: {
          setSelect: [
            (drawn) => {
              const { left, width } = drawn.select;
              if (width < 4) return;
              const at = (x: number) => new Date(drawn.posToVal(x, "x") * 1000);
              zoom.current?.(at(left), at(left + width), isShift);
              drawn.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
          draw: [
            (drawn) => {
              for (const mark of marks) {
                const x = drawn.valToPos(mark.at / 1000, "x", true);
                drawn.ctx.save();
                drawn.ctx.strokeStyle = colour("--strong-line");
                drawn.ctx.fillStyle = colour("--quiet");
                drawn.ctx.setLineDash([4, 4]);
                drawn.ctx.beginPath();
                drawn.ctx.moveTo(x, drawn.bbox.top);
                drawn.ctx.lineTo(x, drawn.bbox.top + drawn.bbox.height);
                drawn.ctx.stroke();
                drawn.ctx.fillText(mark.name, x + 4, drawn.bbox.top + 12);
                drawn.ctx.restore();
              }
            },
          ],
          setCursor: [
            (drawn) => {
              const at = drawn.cursor.idx;
              const time = at === null || at === undefined ? undefined : times[at];
              place.title =
                time === undefined || at === null || at === undefined
                  ? ""
                  : [new Date(time).toLocaleString(), ...series.map((one) => `${one.name}: ${one.values[at] === null ? "–" : format(one.values[at] ?? 0)}`)].join("\n");
            },
          ],
        },
      },
      [times.map((time) => time / 1000), ...stacked],
      place,
    );
    const press = (event: MouseEvent) => {
      isShift = event.shiftKey;
    };
    place.addEventListener("mousedown", press);
    const watcher = new ResizeObserver(() => chart.setSize({ width: Math.max(place.clientWidth, 50), height }));
    watcher.observe(place);
    return () => {
      place.removeEventListener("mousedown", press);
      watcher.disconnect();
      chart.destroy();
    };
    // A new drawing for new values: charts here have some hundred points.
  }, [format, from, group, height, kind, marks, onZoom === undefined, series, times, until]); // eslint-disable-line react-hooks/exhaustive-deps
  return <div ref={box} className={styles.box} role="img" aria-label={label} style={{ height }} />;
}

/** The upper ends of stacked bars, the highest first, so that each is drawn before those below it. */
function stack(series: Series[]): (number | null)[][] {
  return series.map((_, index) => (series[0]?.values ?? []).map((__, at) => series.slice(index).reduce((sum, one) => sum + (one.values[at] ?? 0), 0)));
}

/** Resolves `light-dark(…)`, which a canvas does not know. */
function resolveColour(place: HTMLElement, value: string): string {
  place.style.color = value;
  const colour = getComputedStyle(place).color;
  place.style.color = "";
  return colour;
}

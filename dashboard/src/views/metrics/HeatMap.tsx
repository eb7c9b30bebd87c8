/** Latencies as a heat map, with the percentiles over it. */
import { useCallback, useMemo } from "react";
import uPlot from "uplot";
import { Chart } from "../../parts/Chart";
import type { Mark } from "../../parts/Chart";
import { count, counted, duration } from "../../time/format";
import type { Group } from "./data";
import { durationOf, heatMap, LEAST_MS, mix, rowOf, strength } from "./heat";
import type { HeatMap as Cells } from "./heat";
import { formatDuration, latencySeries } from "./series";
import styles from "./Metrics.module.css";

interface Props {
  label: string;
  times: number[];
  groups: (Group | undefined)[];
  from: number;
  until: number;
  marks: Mark[];
  group: string;
  onZoom: (from: Date, until: Date, isOut: boolean) => void;
  /** Called for a cell that is clicked, with its latencies as the search names them; by keys, for a time. */
  onPick: (from: Date, until: Date, duration: string | null) => void;
}

export function HeatMap({ label, times, groups, from, until, marks, group, onZoom, onPick }: Props) {
  const map = useMemo(() => heatMap(groups.map((one) => one?.latency)), [groups]);
  const series = useMemo(() => latencySeries(groups), [groups]);
  const range = useMemo((): [number, number] => [map.edges[0] ?? 1, map.edges.at(-1) ?? 10], [map]);
  const paint = useCallback(
    (chart: uPlot, colour: (name: string) => string) => {
      drawCells(chart, map, times, until, [colour("--strong-line"), colour("--text")]);
      drawHalos(chart, colour("--ground"));
    },
    [map, times, until],
  );
  const noteAt = useCallback(
    (index: number, value: number | null) => {
      if (value === null || map.edges.length === 0) return null;
      const row = rowOf(map.edges, value);
      const [low = 0, high = 0] = [map.edges[row], map.edges[row + 1]];
      const requests = map.cells[index]?.[row] ?? 0;
      const place = low <= LEAST_MS ? "less than 1 ms" : high - low <= 1 ? duration(low) : `${duration(low)} to ${duration(high)}`;
      return `${counted(requests, "request")} of ${place}`;
    },
    [map],
  );
  const pick = (low: Date, high: Date, value: number | null) => {
    if (value === null || map.edges.length === 0) {
      onPick(low, high, null);
      return;
    }
    const row = rowOf(map.edges, value);
    const column = times.findIndex((start) => start === low.getTime());
    // A click beside the cells asks for nothing.
    if ((map.cells[column]?.[row] ?? 0) > 0) onPick(low, high, durationOf(map.edges, row));
  };
  return (
    <>
      <Chart label={label} times={times} series={series} kind="lines" from={from} until={until} height={280} format={formatDuration} isLog range={range} paint={paint} noteAt={noteAt} marks={marks} group={group} onZoom={onZoom} onPick={pick} />
      <p className={styles.scale}>
        <span className="quiet">Requests in a cell:</span> 1 <span className={styles.gradient} aria-hidden /> {count(map.most)} <span className="quiet">· click a cell for its requests</span>
      </p>
    </>
  );
}

/** The cells, from the colour of the fewest requests to that of the most: both have contrast to the ground. */
function drawCells(chart: uPlot, { edges, cells, most }: Cells, times: number[], until: number, [weak = "", strong = ""]: string[]): void {
  const { ctx, bbox } = chart;
  const x = (time: number) => Math.round(chart.valToPos(time / 1000, "x", true));
  const y = edges.map((edge) => Math.round(chart.valToPos(edge, "y", true)));
  const colours = new Map<number, string>();
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  cells.forEach((rows, at) => {
    const left = x(times[at] ?? 0);
    const right = x(times[at + 1] ?? until);
    // A gap between columns, where they are wide enough for one.
    const width = right - left > 4 ? right - left - 1 : right - left;
    rows.forEach((requests, row) => {
      if (requests === 0) return;
      const share = Math.round(strength(requests, most) * 24) / 24;
      const fill = colours.get(share) ?? mix(weak, strong, share);
      colours.set(share, fill);
      ctx.fillStyle = fill;
      const [bottom = 0, top = 0] = [y[row], y[row + 1]];
      ctx.fillRect(left, top, Math.max(width, 1), Math.max(bottom - top - (bottom - top > 4 ? 1 : 0), 1));
    });
  });
  ctx.restore();
}

/** A ground below the lines of percentiles, so that they are seen on dark cells, too. */
function drawHalos(chart: uPlot, ground: string): void {
  const { ctx, bbox } = chart;
  const [starts, ...lines] = chart.data;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = ground;
  ctx.lineJoin = "round";
  ctx.lineWidth = 6 * uPlot.pxRatio;
  ctx.globalAlpha = 0.85;
  for (const line of lines) {
    ctx.beginPath();
    let isDown = false;
    for (let at = 0; at < starts.length; at++) {
      const value = line[at];
      if (value === null || value === undefined) {
        isDown = false;
        continue;
      }
      const [x, y] = [chart.valToPos(starts[at] ?? 0, "x", true), chart.valToPos(value, "y", true)];
      if (isDown) ctx.lineTo(x, y);
      else ctx.moveTo(x, y);
      isDown = true;
    }
    ctx.stroke();
  }
  ctx.restore();
}

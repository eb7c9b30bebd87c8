/** A heat map of latencies: how many requests of each time took how long, on a logarithmic scale. */

export interface HeatMap {
  /** The lower ends of the rows in milliseconds, ascending, and the upper end of the last. */
  edges: number[];
  /** For each time, the requests in each row. */
  cells: number[][];
  most: number;
}

/** The least latency that a logarithmic axis shows: what takes less than 1 ms is in the row below. */
export const LEAST_MS = 0.5;

/** Puts the bins of sketches, `[milliseconds, requests]`, into rows. */
export function heatMap(columns: ((number[][] | undefined) | null)[], mostRows = 36): HeatMap {
  const bins = columns.map((column) => column ?? []);
  let low = Infinity;
  let high = 0;
  for (const column of bins) {
    for (const [ms = 0] of column) {
      low = Math.min(low, ms);
      high = Math.max(high, ms);
    }
  }
  if (low === Infinity) return { edges: [], cells: bins.map(() => []), most: 0 };
  const edges = rowEdges(low, high, mostRows);
  let most = 0;
  const cells = bins.map((column) => {
    const rows = new Array<number>(edges.length - 1).fill(0);
    for (const [ms = 0, requests = 0] of column) {
      const row = rowOf(edges, ms);
      const sum = (rows[row] ?? 0) + requests;
      rows[row] = sum;
      most = Math.max(most, sum);
    }
    return rows;
  });
  return { edges, cells, most };
}

/**
 * Cuts latencies into rows that grow by the same factor. A row has a whole millisecond at least, as
 * latencies are: there are no empty stripes between 1 ms and 2 ms.
 */
export function rowEdges(low: number, high: number, most: number): number[] {
  const edges = [low < 1 ? LEAST_MS : Math.floor(low)];
  if (low < 1) edges.push(1);
  const factor = Math.max((Math.max(high, 1) / Math.max(low, 1)) ** (1 / most), 1.02);
  let last = edges.at(-1) ?? 1;
  while (last <= high) {
    last = Math.max(last + 1, Math.round(last * factor));
    edges.push(last);
  }
  return edges;
}

/** The row that a latency is in. */
export function rowOf(edges: number[], ms: number): number {
  let low = 0;
  let high = edges.length - 2;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((edges[middle] ?? 0) <= ms) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The exactness of sketches: a latency in a row may be of a request that took 1 % more or less. */
const EXACTNESS = 0.01;

/** What the search of requests calls the latencies of a row: whole milliseconds, both ends of which are meant. */
export function durationOf(edges: number[], row: number): string {
  const [low, high] = [edges[row] ?? 0, Math.max((edges[row + 1] ?? 1) - 1, 0)];
  const [from, until] = [low < 1 ? 0 : Math.round(low * (1 - EXACTNESS)), Math.round(high * (1 + EXACTNESS))];
  return from === until ? `duration:${from}` : `duration:${from}..${until}`;
}

/** How strong a cell is drawn, from 0 for one request to 1 for the most: by the logarithm, so that few are seen beside many. */
export function strength(requests: number, most: number): number {
  if (requests <= 0) return 0;
  return most <= 1 ? 1 : Math.log(requests) / Math.log(most);
}

/** A colour between two colours of the form `rgb(1, 2, 3)`. */
export function mix(from: string, until: string, share: number): string {
  const [a, b] = [channels(from), channels(until)];
  return `rgb(${a.map((value, index) => Math.round(value + ((b[index] ?? value) - value) * share)).join(", ")})`;
}

function channels(colour: string): number[] {
  return (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
}

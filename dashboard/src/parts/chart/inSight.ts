/** When to draw: once a chart is in sight, and never many in one task. */
import { useEffect, useState } from "react";
import type { RefObject } from "react";

/** Whether an element is in sight, or near it, or once was. */
export function useWasInSight(place: RefObject<HTMLElement | null>): boolean {
  const [wasSeen, setSeen] = useState(false);
  useEffect(() => {
    if (wasSeen || !place.current) return;
    const watcher = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true), { rootMargin: "200px" });
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, [place, wasSeen]);
  return wasSeen;
}

/** How long the tasks of one frame may take together. */
const FRAME_MS = 8;

let waiting: (() => void)[] = [];

/** Runs a task in one of the next frames, few in each. Returns a way to call it off. */
export function soon(task: () => void): () => void {
  if (waiting.length === 0) requestAnimationFrame(run);
  waiting.push(task);
  return () => {
    waiting = waiting.filter((other) => other !== task);
  };
}

function run(): void {
  const start = performance.now();
  while (performance.now() - start < FRAME_MS) {
    const task = waiting.shift();
    if (!task) return;
    task();
  }
  if (waiting.length > 0) requestAnimationFrame(run);
}

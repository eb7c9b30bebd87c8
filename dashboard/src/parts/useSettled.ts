/** Values that wait before they change. */
import { useEffect, useState } from "react";

/** A value that waits until it has been the same for a while. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [ms, value]);
  return settled;
}

/** How long something is true before one sees it: what passes sooner would only flicker. */
const LATE_MS = 150;

/** Whether something has been true for a while; what is not true any more is not so at once. */
export function useLate(isTrue: boolean): boolean {
  const wasTrue = useSettled(isTrue, LATE_MS);
  return isTrue && wasTrue;
}

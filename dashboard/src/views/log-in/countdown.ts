/** The seconds that are left of a time to wait. */
import { useEffect, useState } from "react";

export function useCountdown(wait: { seconds: number; until: number } | null): number {
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (wait === null) return;
    const timer = setInterval(() => {
      setNow(Date.now());
      if (Date.now() >= wait.until) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [wait]);
  // Before the first tick the clock is an old one.
  return wait === null ? 0 : Math.max(0, Math.min(wait.seconds, Math.ceil((wait.until - now) / 1000)));
}

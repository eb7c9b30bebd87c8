/** A word of what was done, for a while. */
import { useCallback, useRef, useState } from "react";

const SHOWN_MS = 2500;

export function useSaid(shownMs = SHOWN_MS): [said: string, say: (text: string) => void] {
  const [said, setSaid] = useState("");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const say = useCallback((text: string) => {
    clearTimeout(timer.current);
    setSaid(text);
    timer.current = setTimeout(() => setSaid(""), shownMs);
  }, [shownMs]);
  return [said, say];
}

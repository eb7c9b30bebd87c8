/** Marks a bar that scrolls sideways with its ends that are out of sight: the style fades them. */
import { useEffect, useRef } from "react";
import type { RefObject } from "react";

export function useScrollHint<T extends HTMLElement>(): RefObject<T | null> {
  const bar = useRef<T>(null);
  useEffect(() => {
    const shown = bar.current;
    if (!shown) return;
    const mark = () => {
      const rest = shown.scrollWidth - shown.clientWidth - shown.scrollLeft;
      const more = [shown.scrollLeft > 1 ? "start" : "", rest > 1 ? "end" : ""].join(" ").trim();
      if (shown.dataset["more"] !== more) shown.dataset["more"] = more;
    };
    mark();
    shown.addEventListener("scroll", mark, { passive: true });
    const size = new ResizeObserver(mark);
    size.observe(shown);
    // Names of tabs have counts, which come later.
    const content = new MutationObserver(mark);
    content.observe(shown, { childList: true, characterData: true, subtree: true });
    return () => {
      shown.removeEventListener("scroll", mark);
      size.disconnect();
      content.disconnect();
    };
  }, []);
  return bar;
}

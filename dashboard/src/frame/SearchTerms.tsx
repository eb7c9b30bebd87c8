/** The terms of a search, drawn behind its text: filters on a ground, problems underlined. */
import { useEffect, useRef } from "react";
import type { ReactNode, RefObject } from "react";
import type { Model, Term } from "../query/parse";
import styles from "./SearchBox.module.css";

/** Above this, the text is left plain: nobody reads so much of it in one line. */
const MOST = 4096;

export function SearchTerms({ text, terms, input, model, children }: { text: string; terms: Term[]; input: RefObject<HTMLInputElement | null>; model: Model; children: ReactNode }) {
  const behind = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const shown = input.current;
    const follow = () => {
      if (behind.current && shown) behind.current.scrollLeft = shown.scrollLeft;
    };
    follow();
    shown?.addEventListener("scroll", follow);
    return () => shown?.removeEventListener("scroll", follow);
  }, [input, text]);
  const drawn = text.length > MOST ? [] : terms;
  return (
    <div className={styles.box}>
      <div ref={behind} className={styles.terms} aria-hidden>
        {drawn.map((term, index) => (
          <span key={term.start}>
            {text.slice(drawn[index - 1]?.end ?? 0, term.start)}
            <span className={classOf(term)} data-model={term.isOfAnotherModel ? model : undefined}>
              {text.slice(term.start, term.end)}
            </span>
          </span>
        ))}
      </div>
      {children}
    </div>
  );
}

function classOf(term: Term): string {
  return [term.kind === "filter" && styles.filter, term.isOfAnotherModel && styles.waiting, term.problem && styles.wrong].filter(Boolean).join(" ");
}

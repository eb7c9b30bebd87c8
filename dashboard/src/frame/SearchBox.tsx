/** The search: words and filters, with what is wrong below the very word. */
import { useRef, useState } from "react";
import { parse } from "../query/parse";
import type { Model } from "../query/parse";
import { useParam } from "./address";
import { useKeys } from "./keys";
import styles from "./SearchBox.module.css";

export function SearchBox({ model }: { model: Model }) {
  const [asked, setAsked] = useParam("q");
  const [typed, setTyped] = useState({ text: asked, asked });
  // Another search in the address takes the place of what was typed.
  const text = typed.asked === asked ? typed.text : asked;
  const setText = (next: string) => setTyped({ text: next, asked });
  const input = useRef<HTMLInputElement>(null);
  useKeys([{ keys: "/", name: "Search", run: () => input.current?.select() }]);
  const problem = parse(text, model).problems[0]?.problem;
  return (
    <search className={styles.search}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setAsked(text.trim());
        }}
      >
        <input
          ref={input}
          type="search"
          aria-label="Search or filter"
          placeholder="search or filter …"
          value={text}
          spellCheck={false}
          autoComplete="off"
          aria-invalid={problem !== undefined && problem !== null}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
      {problem && <p className={styles.problem}>{problem.text}</p>}
    </search>
  );
}

/** The search: words and filters, with completions, and what is wrong below the very word. */
import { useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { ClipboardEvent, KeyboardEvent } from "react";
import { placeAt, suggest } from "../query/complete";
import type { Suggestion } from "../query/complete";
import { keepDraft, keptDraft } from "../query/draft";
import type { Draft } from "../query/draft";
import { recentSearches, rememberSearch } from "../query/history";
import { useKnown } from "../query/known";
import { parse } from "../query/parse";
import type { Model, Term } from "../query/parse";
import { useParam } from "./address";
import { useKeys } from "./keys";
import { RECORDS } from "./NotUsed";
import { SearchTerms } from "./SearchTerms";
import { shortLine } from "../parts/text";
import styles from "./SearchBox.module.css";

/** Keys that the box takes by itself. */
const IN_SEARCH = "In the search";

type Option = Suggestion & { isRecent: boolean };

export function SearchBox({ model, isOfAll }: { model: Model; isOfAll: boolean }) {
  const [asked, setAsked] = useParam("q");
  const [typed, setTyped] = useState<Draft>(() => keptDraft() ?? { text: asked, caret: asked.length, asked });
  // Another search in the address takes the place of what was typed.
  const { text, caret } = typed.asked === asked ? typed : { text: asked, caret: asked.length };
  const [isOpen, setOpen] = useState(false);
  const [isFocused, setFocused] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const wanted = useRef<number | null>(null);
  const id = useId();
  useKeys([
    { keys: "/", name: "Search", group: "Everywhere", run: () => input.current?.select() },
    { keys: "ArrowDown", name: "Next completion", group: IN_SEARCH },
    { keys: "Tab", name: "Take it, or the correction", group: IN_SEARCH },
    { keys: "Enter", name: "Search", group: IN_SEARCH },
    { keys: "Escape", name: "Leave", group: IN_SEARCH },
  ]);

  useLayoutEffect(() => {
    if (wanted.current === null) return;
    input.current?.setSelectionRange(wanted.current, wanted.current);
    wanted.current = null;
  });

  // Of a search that is too long for the box its end is seen: the last filters tell it from others.
  useLayoutEffect(() => {
    if (!isFocused && input.current) input.current.scrollLeft = input.current.scrollWidth;
  }, [isFocused, text]);

  const query = useMemo(() => parse(text, model), [model, text]);
  const place = isOpen ? placeAt(text, caret, model) : null;
  const known = useKnown(place, model);
  const options: Option[] = isOpen ? optionsFor() : [];
  const chosen = options[active];
  // What was asked is in the flow of the page (SearchNotes): below the word only while it is typed.
  const problem = isFocused && (isOpen || text !== asked) ? problemShown() : undefined;
  const waiting = isOfAll ? [] : query.terms.filter((term) => term.isOfAnotherModel);

  function optionsFor(): Option[] {
    const recent = text.trim() === "" ? recentSearches().slice(0, 5) : [];
    return [
      ...recent.map((one) => ({ insert: one, label: one, note: "recent search", isWhole: true, isRecent: true })),
      ...(place === null ? [] : suggest(place, model, known).map((one) => ({ ...one, isRecent: false }))),
    ];
  }

  /** The problem at the caret, unless that word is still being typed; else the first. */
  function problemShown(): Term | undefined {
    const isTyped = (term: Term) => isOpen && options.length > 0 && term.start <= caret && caret <= term.end;
    return query.problems.find((term) => !isTyped(term) && term.start <= caret && caret <= term.end) ?? query.problems.find((term) => !isTyped(term));
  }

  function type(next: string, at: number): void {
    const draft = { text: next, caret: at, asked };
    keepDraft(draft);
    setTyped(draft);
    setActive(-1);
  }

  function replace(start: number, end: number, insert: string): void {
    wanted.current = start + insert.length;
    type(text.slice(0, start) + insert + text.slice(end), wanted.current);
    setOpen(true);
  }

  function take(option: Option): void {
    if (option.isRecent) ask(option.insert);
    else if (place) {
      const hasBlank = /^\s/.test(text.slice(place.end));
      replace(place.start, place.end, option.isWhole && !hasBlank ? `${option.insert} ` : option.insert);
    }
  }

  function ask(next: string): void {
    const trimmed = next.trim();
    rememberSearch(trimmed);
    keepDraft(null);
    setTyped({ text: trimmed, caret: trimmed.length, asked: trimmed });
    setOpen(false);
    setActive(-1);
    setAsked(trimmed);
    // What was found comes next, with its keys.
    if (trimmed !== "") document.getElementById("view")?.focus({ preventScroll: true });
  }

  function press(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.nativeEvent.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      event.preventDefault();
      if (!isOpen) setOpen(true);
      // Before the first and behind the last one is the text itself.
      else setActive((before) => ((before + move + 1 + options.length + 1) % (options.length + 1)) - 1);
    } else if (event.key === "Tab" && !event.shiftKey) {
      const first = chosen ?? (place !== null && place.prefix !== "" ? options[0] : undefined);
      const instead = problem?.problem?.instead;
      if (!first && !instead) return;
      event.preventDefault();
      if (first) take(first);
      else if (problem && instead) replace(problem.start, problem.end, instead);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (chosen) take(chosen);
      else ask(text);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (isOpen && options.length > 0) setOpen(false);
      else input.current?.blur();
    }
  }

  /** Lines that are pasted stay apart: an input joins them. */
  function paste(event: ClipboardEvent<HTMLInputElement>): void {
    const pasted = event.clipboardData.getData("text/plain");
    if (!/[\r\n\t]/.test(pasted) || !input.current) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = input.current;
    replace(selectionStart ?? text.length, selectionEnd ?? text.length, pasted.replace(/\s+/g, " "));
  }

  const isListed = isOpen && options.length > 0;
  const isWaitingSaid = isOpen && waiting.length > 0;
  return (
    <search className={styles.search}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          ask(text);
        }}
      >
        <SearchTerms text={text} terms={query.terms} input={input} model={model}>
          <input
            ref={input}
            type="search"
            role="combobox"
            aria-label="Search or filter"
            aria-expanded={isListed}
            aria-controls={`${id}list`}
            aria-autocomplete="list"
            aria-activedescendant={chosen ? `${id}${active}` : undefined}
            aria-invalid={query.problems.length > 0}
            aria-describedby={problem || isWaitingSaid ? `${id}notes` : undefined}
            placeholder="search or filter …"
            value={text}
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="off"
            enterKeyHint="search"
            onChange={(event) => {
              type(event.target.value, event.target.selectionStart ?? event.target.value.length);
              setOpen(true);
            }}
            onSelect={(event) => {
              const at = event.currentTarget.selectionStart ?? text.length;
              if (at !== caret) setTyped({ text, caret: at, asked });
            }}
            onClick={() => setOpen(true)}
            onFocus={() => setFocused(true)}
            onBlur={() => {
              setFocused(false);
              setOpen(false);
            }}
            onKeyDown={press}
            onPaste={paste}
          />
        </SearchTerms>
        {text !== "" && (
          <button
            type="button"
            className={`plain ${styles.clear ?? ""}`}
            aria-label="Clear the search"
            title="Clear the search"
            onClick={() => {
              ask("");
              input.current?.focus();
            }}
          >
            <span aria-hidden>×</span>
          </button>
        )}
      </form>
      {(isListed || problem !== undefined || isWaitingSaid) && (
        <div className={styles.below} data-list={isListed} style={isListed || !problem ? undefined : { marginInlineStart: `min(${problem.start}ch, 40%)` }}>
          <div id={`${id}notes`} className={styles.notes} aria-live="polite">
            {problem?.problem && (
              <p className={styles.problem}>
                <span aria-hidden>⚠</span> <span className={styles.words}>{problem.problem.text}</span>
                {problem.problem.instead !== null && (
                  <button
                    type="button"
                    className="plain"
                    onMouseDown={(event) => event.preventDefault()}
                    onClick={() => replace(problem.start, problem.end, problem.problem?.instead ?? "")}
                  >
                    <kbd>Tab</kbd> <bdi className="data">{shortLine(problem.problem.instead, 60)}</bdi>
                  </button>
                )}
              </p>
            )}
            {isWaitingSaid && (
              <p className="quiet">
                Not used here, as {RECORDS[model]} have no such field: <bdi className="data">{shortLine(waiting.map((term) => text.slice(term.start, term.end)).join(" "), 60)}</bdi>
              </p>
            )}
          </div>
          <div id={`${id}list`} className={styles.list} role="listbox" aria-label="Completions" aria-busy={known.isLoading} hidden={!isListed}>
            {options.map((option, index) => (
              // Keys are those of the input, which keeps the focus.
              // eslint-disable-next-line jsx-a11y/click-events-have-key-events
              <div
                key={`${option.isRecent ? "recent" : "term"} ${option.label} ${option.insert}`}
                id={`${id}${index}`}
                role="option"
                tabIndex={-1}
                aria-selected={index === active}
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => take(option)}
              >
                <bdi className="data">{option.label}</bdi>{" "}
                <span className="quiet small">{option.note}</span>
              </div>
            ))}
          </div>
        </div>
      )}
    </search>
  );
}

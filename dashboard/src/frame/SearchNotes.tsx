/** What of the search that is shown is not what it looks like. It stands in the flow of the page, and covers nothing. */
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { shortLine } from "../parts/text";
import { parse } from "../query/parse";
import type { Model } from "../query/parse";
import { sharedParams, useParam, useParams } from "./address";
import { NotUsed, RECORDS } from "./NotUsed";
import styles from "./SearchNotes.module.css";

/** How many problems are listed. */
const MOST = 3;

interface Props {
  model: Model;
  /** Whether the view shows records of all kinds, so that each field is one of some of them. */
  isOfAll: boolean;
}

export function SearchNotes({ model, isOfAll }: Props) {
  const [asked, setAsked] = useParam("q");
  const params = useParams();
  const { problems, terms } = useMemo(() => parse(asked, model), [asked, model]);
  const waiting = isOfAll ? [] : terms.filter((term) => term.isOfAnotherModel);
  const isEmpty = problems.length === 0 && waiting.length === 0;
  return (
    // The place of it is always there, so that what appears in it is heard.
    <div role="status" className={isEmpty ? "hidden-label" : styles.notes}>
      {problems.slice(0, MOST).map(({ start, end, kind, problem }) => (
        <p key={start}>
          <span>
            <span aria-hidden>⚠ </span>
            <bdi>{problem?.text}</bdi>
            {kind === "filter" && ` “${shortLine(asked.slice(start, end), 40)}” is left out.`}
          </span>{" "}
          {problem !== null && problem.instead !== null && (
            <button
              type="button"
              onClick={() => {
                setAsked(asked.slice(0, start) + (problem.instead ?? "") + asked.slice(end));
                document.getElementById("view")?.focus({ preventScroll: true });
              }}
            >
              Search for <bdi className="data">{shortLine(problem.instead, 60)}</bdi>
            </button>
          )}
          {problem?.elsewhere && (
            <Link to={`/${problem.elsewhere.model}`} search={{ ...sharedParams(params), q: asked.slice(0, start) + problem.elsewhere.text + asked.slice(end) }}>
              Search {RECORDS[problem.elsewhere.model]} for <bdi className="data">{shortLine(problem.elsewhere.text, 60)}</bdi>
            </Link>
          )}
        </p>
      ))}
      {problems.length > MOST && <p className="quiet">and {problems.length - MOST} more</p>}
      {waiting.length > 0 && (
        <p className="quiet">
          <NotUsed terms={waiting.map(({ start, end }) => asked.slice(start, end)).join(" ")} model={model} />
        </p>
      )}
    </div>
  );
}

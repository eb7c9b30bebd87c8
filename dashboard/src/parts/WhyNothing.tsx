/** Why a search found nothing: which of its terms excludes everything, and what finds more. */
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { list } from "../api/client";
import { useParams } from "../frame/address";
import type { Model } from "../query/parse";
import { checkTerms, restrictionsOf } from "../query/terms";
import type { TermCheck } from "../query/terms";
import { counted } from "../time/format";
import { shortLine } from "./text";
import styles from "./WhyNothing.module.css";

type Pairs = [name: string, value: string][];

interface Props {
  model: Model;
  /** What was searched for. */
  text: string;
  /** What restricts it besides: the range, and whether deleted records are meant. */
  parameters: Pairs;
  /** How often it was asked for. */
  asked: number;
  /** What a record is called: `line`. */
  noun: string;
}

/** How many terms are looked at. */
const MOST = 8;
/** How far records are counted. */
const COUNT_TO = 1000;
/** A count that is cheap is wanted: what takes long is not worth a second try. */
const ONCE = { staleTime: Infinity, gcTime: 60_000, retry: false } as const;

interface Counted {
  total: number;
  isExact: boolean;
}

/** Counts records up to a number. */
function countUpTo(model: Model, parameters: Pairs, most: number, asked: number) {
  return {
    queryKey: [model, "why-nothing", parameters, most, asked],
    queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Counted> => {
      const { metadata } = await list(`/${model}`, [...parameters, ["limit", "0"], ["total", String(most)]], signal);
      return { total: metadata.total ?? 0, isExact: metadata.total_is_exact };
    },
    ...ONCE,
  };
}

export function WhyNothing({ model, text, parameters, asked, noun }: Props) {
  const checks = checkTerms(text, model).slice(0, MOST);
  const any = useQuery(countUpTo(model, parameters, 1, asked));
  const isAny = (any.data?.total ?? 0) > 0;
  // One term is what found nothing: there is no need to ask.
  const isOnly = checks.length === 1;
  const alone = useQueries({ queries: checks.map((check) => ({ ...countUpTo(model, [...parameters, ...check.alone], 1, asked), enabled: isAny && !isOnly })) });
  const isKnown = isOnly || alone.every((one) => one.data !== undefined || one.isError);
  const guilty = isOnly ? checks : checks.filter((_, index) => alone[index]?.data?.total === 0);
  if (any.data?.total === 0) return <p>No {noun} at all is in this range.</p>;
  if (!isAny || !isKnown || checks.length === 0) return null;
  const shown = guilty.length > 0 ? guilty : checks;
  return (
    <>
      {guilty.length === 0 && <p>Each term finds something by itself, but no {noun} has all of them:</p>}
      <ul className={styles.terms}>
        {shown.map((check) => (
          <Term key={check.text} check={check} isGuilty={guilty.length > 0} isOnly={isOnly} model={model} parameters={parameters} asked={asked} noun={noun} />
        ))}
      </ul>
    </>
  );
}

interface TermProps extends Omit<Props, "text"> {
  check: TermCheck;
  /** Whether it finds nothing by itself. */
  isGuilty: boolean;
  /** Whether there is no other. */
  isOnly: boolean;
}

function Term({ check, isGuilty, isOnly, model, parameters, asked, noun }: TermProps) {
  const offers = [
    ...(isGuilty && check.instead ? [{ ...check.instead, label: shortLine(check.instead.form, 60) }] : []),
    ...(isGuilty && check.wider ? [{ ...check.wider, label: shortLine(check.wider.form, 60) }] : []),
    ...(check.rest === "" ? [] : [{ text: check.rest, form: "", label: "without it" }]),
  ];
  const counts = useQueries({ queries: offers.map((offer) => countUpTo(model, [...parameters, ...restrictionsOf(offer.text, model)], COUNT_TO, asked)) });
  const params = useParams();
  // That the only term finds nothing has been said.
  if (isOnly && check.note === null && counts.every((one) => !one.data?.total)) return null;
  return (
    <li>
      <bdi className="data">{shortLine(check.text, 60)}</bdi>
      {isGuilty && " finds nothing."}
      {check.note !== null && <span className="quiet"> {check.note}</span>}
      {offers.map((offer, index) => {
        const found = counts[index]?.data;
        if (!found || found.total === 0) return null;
        return (
          <span key={offer.text} className={styles.offer}>
            <Link to="." search={{ ...params, q: offer.text }} aria-label={offer.form === "" ? `without it: ${shortLine(check.text, 60)}` : undefined}>
              {offer.form === "" ? offer.label : <bdi className="data">{offer.label}</bdi>}
            </Link>{" "}
            <span className="quiet">{counted(found.total, noun, !found.isExact)}</span>
          </span>
        );
      })}
    </li>
  );
}

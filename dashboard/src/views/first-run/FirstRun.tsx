/** How to send the first record; turns into the overview as soon as one arrives. */
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useIsAdmin, useSession } from "../../api/session";
import { useParam } from "../../frame/address";
import { Form, FormProblem } from "../../parts/Form";
import { Name } from "../../parts/Name";
import { SecretText } from "../../parts/Secret";
import { Snippet } from "../../parts/Snippet";
import { Failure, Loading } from "../../parts/State";
import { Tabs } from "../../parts/Tabs";
import { useForm } from "../../parts/useForm";
import { useMakeKey } from "../keys/KeyDialogs";
import { useArrival } from "./arrival";
import type { Arrival } from "./arrival";
import styles from "./FirstRun.module.css";
import { NO_KEY, WAYS } from "./ways";
import type { Step } from "./ways";

/** The way that needs the least. */
const FIRST_WAY = "curl";

export function FirstRun() {
  const { is_open: isOpen } = useSession();
  const { query, arrival } = useArrival();
  const navigate = useNavigate();
  const [way, setWay] = useParam("way", FIRST_WAY);
  const [key, setKey] = useState<string | null>(null);
  const isOver = arrival !== null && arrival.wasEmpty && arrival.hasArrived;
  useEffect(() => {
    if (isOver) void navigate({ to: "/", search: {}, replace: true });
  }, [isOver, navigate]);
  if (query.isPending) return <Loading what="the newest records" />;
  if (arrival === null) return <Failure error={query.error} what="The newest records" onRetry={() => void query.refetch()} />;
  const chosen = WAYS.find((one) => one.id === way) ?? WAYS.find((one) => one.id === FIRST_WAY);
  return (
    <div className={styles.page}>
      <h1>{arrival.wasEmpty ? "Nothing here yet. Send the first record:" : "Send records"}</h1>
      <section aria-label="Key" className={styles.step}>
        <h2>1. A key</h2>
        {isOpen ? <p>This server asks for no key.</p> : <FirstKey made={key} onMade={setKey} />}
      </section>
      <section aria-label="Record" className={styles.step}>
        <h2>2. A record</h2>
        <Tabs label="From where" tabs={WAYS} chosen={chosen?.id ?? ""} onChoose={setWay} className={styles.panel}>
          {chosen?.steps(location.origin, isOpen ? null : (key ?? NO_KEY)).map((step) => (
            <StepPart key={step.name} step={step} />
          ))}
        </Tabs>
      </section>
      <Waiting arrival={arrival} isFailing={query.isError} />
    </div>
  );
}

function FirstKey({ made, onMade }: { made: string | null; onMade: (key: string) => void }) {
  const isAdmin = useIsAdmin();
  const makeKey = useMakeKey();
  const form = useForm({ send: async () => onMade(await makeKey("first record", "ingest", null)) });
  if (made !== null) {
    return (
      <>
        <SecretText name="Key" secret={made} />
        <p className="quiet small">It is shown this once, and stands below. It can store records, and nothing else.</p>
      </>
    );
  }
  if (!isAdmin) {
    return (
      <p>
        Ask an admin for a key that may store records, and put it where <code>{NO_KEY}</code> stands.
      </p>
    );
  }
  return (
    <Form form={form} label="Make a key">
      <p>
        <button type="submit" className="primary" disabled={form.isSending}>
          {form.isSending ? "Making …" : "Make a key"}
        </button>{" "}
        <span className="quiet small">
          Or put one that you have where <code>{NO_KEY}</code> stands.
        </span>
      </p>
      <FormProblem />
    </Form>
  );
}

function StepPart({ step }: { step: Step }) {
  const content = (
    <>
      {step.text !== undefined && <Snippet label={step.name} text={step.text} />}
      {step.note !== undefined && <p className="quiet small">{step.note}</p>}
    </>
  );
  if (step.isFolded) {
    return (
      <details className={styles.folded}>
        <summary>{step.name}</summary>
        {content}
      </details>
    );
  }
  return (
    <div className={styles.part}>
      <h3>{step.name}</h3>
      {content}
    </div>
  );
}

function Waiting({ arrival, isFailing }: { arrival: Arrival; isFailing: boolean }) {
  const { log } = arrival.newest;
  return (
    <p role="status" className={styles.waiting}>
      {isFailing ? (
        "The server does not answer; it is asked again."
      ) : arrival.hasArrived ? (
        <>
          <span aria-hidden>●</span> Records arrive{log !== null && <>: the newest line is “<Name text={log.message} />”</>}.{" "}
          <Link to="/logs" className={styles.link}>Look at the logs</Link>
        </>
      ) : (
        <>
          Waiting{" "}
          <span aria-hidden className={styles.sign}>
            ◌
          </span>
        </>
      )}
    </p>
  );
}

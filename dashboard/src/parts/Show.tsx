/** Small parts that show one value. */
import { useState } from "react";
import { ApiError } from "../api/client";
import { clock, day, inFull } from "../time/format";

/** A time of the local zone, with UTC when one points at it. Copying it gives RFC 3339. */
export function Time({ at }: { at: string }) {
  return (
    <time className="data" dateTime={at} title={inFull(at)}>
      {clock(at)}
    </time>
  );
}

/** A day of the local zone with its year, for what is far from now; pointing at it says the time. */
export function Day({ at }: { at: string }) {
  return (
    <time className="data" dateTime={at} title={inFull(at)}>
      {day(at)}
    </time>
  );
}

export function Level({ level }: { level: string }) {
  return <span className={`data level-${level}`}>{level}</span>;
}

/** A status code in the colour of its class; one that is not known had no answer. */
export function Status({ code }: { code: number | null }) {
  return (
    <span className={`data class-${code === null ? "none" : Math.floor(code / 100)}`} title={code === null ? "no answer is known" : undefined}>
      {code ?? "–"}
    </span>
  );
}

/** A button that copies a text, and says that it has. */
export function Copy({ text, children = "Copy" }: { text: string | (() => string | Promise<string>); children?: string }) {
  const [said, setSaid] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : await text());
      setSaid("Copied");
    } catch (error) {
      setSaid(error instanceof ApiError ? error.detail.slice(0, 100) : "Not allowed here");
    }
    setTimeout(() => setSaid(""), 2500);
  };
  return (
    <button type="button" onClick={() => void copy()}>
      <span className="keeps-width" data-label={children}>
        <span aria-live="polite">{said || children}</span>
      </span>
    </button>
  );
}

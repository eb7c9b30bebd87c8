/** A body as it was stored: JSON as a tree, a form as a table, text, bytes, or why there is none. */
import { useMemo } from "react";
import { JsonTree } from "../../../parts/JsonTree";
import { Copy } from "../../../parts/Show";
import { bytes } from "../../../time/format";
import { countMasked } from "../masked";
import type { Body } from "../snapshot";
import { Pairs } from "./Pairs";
import type { OnFilter } from "./Pairs";
import { Text } from "./Value";
import styles from "./Detail.module.css";

interface Props {
  body: Body;
  /** What is copied: the value as it is stored. */
  raw: unknown;
  /** The field of the body, for filters. */
  root: "body" | "response_body";
  onFilter: OnFilter;
}

export function BodyView({ body, raw, root, onFilter }: Props) {
  const masked = useMemo(() => (typeof raw === "object" || typeof raw === "string" ? countMasked(raw) : 0), [raw]);
  return (
    <section className={styles.section} aria-label="Body">
      <h3 className={styles.title}>
        Body <span className="quiet">{[kindOf(body), body.kind !== "none" && body.size !== null ? bytes(body.size) : "", masked > 0 ? `${masked} masked` : ""].filter((text) => text !== "").join(", ")}</span>
        {body.kind !== "none" && <Copy text={() => (body.kind === "text" ? body.text : body.kind === "bytes" ? body.base64 : JSON.stringify(raw, null, 2))} />}
      </h3>
      <Content body={body} root={root} onFilter={onFilter} />
    </section>
  );
}

function kindOf(body: Body): string {
  if (body.kind === "json") return "JSON";
  if (body.kind === "fields") return "form";
  if (body.kind === "none") return "";
  return body.type ?? (body.kind === "text" ? "text" : "bytes");
}

function Content({ body, root, onFilter }: Omit<Props, "raw">) {
  switch (body.kind) {
    case "none":
      return <p className="quiet">{body.why}</p>;
    case "json":
      return <JsonTree value={body.value} path={root} label="Body" onFilter={onFilter} open={3} />;
    case "fields":
      return <Pairs label="Fields of the form" pairs={body.fields} onFilter={onFilter} />;
    case "text":
      return (
        <>
          {body.note !== null && <p className="quiet small">{body.note}</p>}
          <pre className={styles.text}>
            <Text text={body.text} />
            {body.isTruncated && <span className={styles.cut}> … cut here</span>}
          </pre>
          {body.isTruncated && <Cut size={body.size} stored={body.text.length} />}
        </>
      );
    case "bytes":
      return <Bytes body={body} />;
  }
}

function Cut({ size, stored }: { size: number | null; stored: number }) {
  return (
    <p className="quiet small">
      Only the start was stored ({bytes(stored)}); the body had {size === null ? "more" : bytes(size)}. Capture has a limit for it: body_limit.
    </p>
  );
}

const SHOWN_BYTES = 512;

function Bytes({ body }: { body: Extract<Body, { kind: "bytes" }> }) {
  const start = decode(body.base64.slice(0, Math.ceil(SHOWN_BYTES / 3) * 4));
  const download = () => {
    const all = decode(body.base64);
    if (all === null) return;
    // Never with its own type: a browser would show what is in it.
    const url = URL.createObjectURL(new Blob([all], { type: "application/octet-stream" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "body.bin";
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  if (start === null) return <p className="quiet">It is stored as Base64 that cannot be read.</p>;
  return (
    <>
      <pre className={styles.text}>{hexOf(start.slice(0, SHOWN_BYTES))}</pre>
      <p className="quiet small">
        {body.size !== null && body.size > SHOWN_BYTES && `The first ${SHOWN_BYTES} bytes. `}
        {body.isTruncated && "Only the start was stored. "}
        <button type="button" onClick={download}>
          Download
        </button>
      </p>
    </>
  );
}

function decode(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  } catch {
    return null;
  }
}

/** `00000010  89 50 4e 47 …  .PNG`, as `hexdump -C` prints it. */
function hexOf(all: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < all.length; at += 16) {
    const row = [...all.slice(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(47)}  ${row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("")}`);
  }
  return lines.join("\n");
}

/** Says which filters of the search some records have no field for. */
import { shortLine } from "../parts/text";
import type { Model } from "../query/parse";

export const RECORDS: Record<Model, string> = { logs: "log lines", requests: "requests", metrics: "metrics" };

export function NotUsed({ terms, model }: { terms: string; model: Model }) {
  return (
    <>
      Not used here, as {RECORDS[model]} have no such field: <bdi className="data">{shortLine(terms, 60)}</bdi>
    </>
  );
}

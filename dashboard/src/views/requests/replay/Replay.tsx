import type { RequestSnapshot } from "../../../api/client";

export function Replay({ record }: { record: RequestSnapshot }) {
  return <p>{record.id}</p>;
}

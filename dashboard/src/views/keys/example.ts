/** How a key is used, as the documentation says it (`docs/http.md`). */
import type { ApiKey } from "../../api/client";

/** Stores the first record. `key` is null where the server asks for none. */
export function storeByCurl(origin: string, key: string | null): string {
  const header = key === null ? "" : ` \\\n    -H "Authorization: Bearer ${key}"`;
  return `curl ${origin}/api/v1/logs${header} \\\n    -d '{"level":"info","source":"shop","message":"hello"}'`;
}

export function example(origin: string, scope: ApiKey["scope"], key: string): string {
  return scope === "ingest" ? storeByCurl(origin, key) : `curl "${origin}/api/v1/logs?level=error&limit=10" \\\n    -H "Authorization: Bearer ${key}"`;
}

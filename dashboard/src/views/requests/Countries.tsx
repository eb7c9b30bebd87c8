/** Requests by the country they came from: how many, how many failed, how long they took. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { read } from "../../api/client";
import { useParam } from "../../frame/address";
import { DocsLink } from "../../parts/DocsLink";
import { Empty, Failure, Loading } from "../../parts/State";
import { pickedValues, togglePicked } from "../../query/picked";
import { count, duration, percent } from "../../time/format";
import type { RequestSearch } from "./search";
import styles from "./Requests.module.css";

interface Group {
  by: { geo_country: string | null };
  of: { count: number; duration__p50?: number | null; duration__p95?: number | null };
}

const MOST = 250;
const NAMES = new Intl.DisplayNames(undefined, { type: "region", fallback: "code" });

function nameOf(code: string | null): string {
  if (code === null) return "not known";
  try {
    return /^[A-Z]{2}$/.test(code) ? (NAMES.of(code) ?? code) : code.slice(0, 80);
  } catch {
    return code.slice(0, 80);
  }
}

export function Countries({ search }: { search: RequestSearch }) {
  const [, setText] = useParam("q");
  const query = useQuery({
    queryKey: ["requests", "countries", search.counted, search.asked],
    queryFn: async ({ signal }) => {
      const by: [string, string][] = [...search.counted, ["by", "geo_country"], ["top", String(MOST)]];
      const [all, failed] = await Promise.all([
        read<Group[]>("/requests/stats", [...by, ["measure", "count,duration__p50,duration__p95"]], signal),
        read<Group[]>("/requests/stats", [...by, ["status_code__gte", "500"], ["measure", "count"]], signal),
      ]);
      const errors = new Map(failed.map((group) => [group.by.geo_country, group.of.count]));
      return all.map((group) => ({ country: group.by.geo_country, count: group.of.count, errors: errors.get(group.by.geo_country) ?? 0, p50: group.of.duration__p50, p95: group.of.duration__p95 }));
    },
    placeholderData: keepPreviousData,
  });
  if (query.isError) return <Failure error={query.error} what="The table of countries" onRetry={() => void query.refetch()} />;
  if (!query.data) return <Loading what="the table of countries" />;
  const rows = query.data;
  if (rows.every((row) => row.country === null))
    return (
      <Empty title="No country is known of these requests.">
        <ol className={styles.steps}>
          <li>
            Tell capture who knows the country: the platform in front, <code>Platform::Cloudflare</code>, or a file, <code>GeoLite2-City.mmdb</code>.
          </li>
          <li>
            Name your own proxies, <code>.trusted_proxies(…)</code>: else all requests come from them.
          </li>
        </ol>
        <span>
          How, and what is believed: <DocsLink page="guide/capture.md#where-a-request-comes-from">Where a request comes from</DocsLink>
        </span>
      </Empty>
    );
  const most = Math.max(...rows.map((row) => row.count));
  const slowest = Math.max(...rows.map((row) => row.p95 ?? 0));
  const { chosen, excluded } = pickedValues(search.text, "requests", "geo_country");
  const choose = (country: string | null) => setText(togglePicked(search.text, "requests", "geo_country", country, false, "country"));
  return (
    // A region that scrolls takes the keys that scroll it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section className={styles.countries} aria-label="By country" tabIndex={0} style={{ opacity: query.isPlaceholderData ? 0.6 : 1 }}>
      <table>
        <thead>
          <tr>
            <th>Country</th>
            <th className="number">Requests</th>
            <th aria-hidden className={styles.barColumn} />
            <th className="number">5xx</th>
            <th className="number">Share</th>
            <th className="number">p50</th>
            <th className="number">p95</th>
            <th aria-hidden className={styles.barColumn} />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.country} className={chosen.includes(row.country) ? "is-chosen" : ""}>
              <td>
                <button type="button" className="plain" aria-pressed={chosen.includes(row.country)} title={excluded.includes(row.country) ? "Excluded" : "Only requests of this country"} onClick={() => choose(row.country)}>
                  <span className="data">{row.country?.slice(0, 8) ?? "–"}</span> <bdi>{nameOf(row.country)}</bdi>
                </button>
              </td>
              <td className="number data">{count(row.count)}</td>
              <td aria-hidden>
                <Bar share={row.count / most} />
              </td>
              <td className={`number data ${row.errors > 0 ? "class-5" : ""}`}>{count(row.errors)}</td>
              <td className="number data">{percent(row.errors / row.count)}</td>
              <td className="number data">{duration(row.p50)}</td>
              <td className="number data">{duration(row.p95)}</td>
              <td aria-hidden>
                <Bar share={slowest > 0 ? (row.p95 ?? 0) / slowest : 0} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Bar({ share }: { share: number }) {
  return (
    <span className={styles.bar}>
      <span style={{ width: `${share * 100}%` }} />
    </span>
  );
}

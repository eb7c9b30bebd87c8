/** The path of a request with its query dimmed behind it: `/report?month=13`. For lists of requests and their titles. */
import type { ReactNode } from "react";
import { askedHost, queryText, shortPath } from "./requestText";
import type { Addressed } from "./requestText";

interface Props {
  request: Addressed;
  /** The path as it is to be shown, where words of a search are marked in it. */
  path?: ReactNode;
  /** How many letters have room: of a longer path the middle is cut. */
  columns?: number;
  /** Whether there is room for whom the application asked; the path says more. */
  hasHost?: boolean;
  /** Marks words of a search in the query. */
  showQuery?: (query: string) => ReactNode;
}

/** `?…` */
const LEAST_QUERY = 2;

export function PathAndQuery({ request, path, columns = 400, hasHost = true, showQuery = (query) => query }: Props) {
  const host = hasHost ? askedHost(request) : "";
  // A query that begins where there is no room would take the last letters of the path with it.
  const query = request.path.length + LEAST_QUERY > columns ? "" : queryText(request.query);
  return (
    <>
      {host !== "" && <bdi className="quiet">{host}</bdi>}
      <bdi>{path ?? shortPath(request.path, columns)}</bdi>
      {query !== "" && <bdi className="quiet">{showQuery(query)}</bdi>}
    </>
  );
}

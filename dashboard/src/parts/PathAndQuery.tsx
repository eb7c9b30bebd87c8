/** The path of a request with its query dimmed behind it: `/report?month=13`. For lists of requests and their titles. */
import type { ReactNode } from "react";
import { askedHost, queryText } from "./requestText";
import type { Addressed } from "./requestText";
import { shortLine } from "./text";

interface Props {
  request: Addressed;
  /** The path as it is to be shown, where words of a search are marked in it. */
  path?: ReactNode;
  /** Whether there is room for whom the application asked; the path says more. */
  hasHost?: boolean;
  /** Marks words of a search in the query. */
  showQuery?: (query: string) => ReactNode;
}

export function PathAndQuery({ request, path, hasHost = true, showQuery = (query) => query }: Props) {
  const host = hasHost ? askedHost(request) : "";
  const query = queryText(request.query);
  return (
    <>
      {host !== "" && <bdi className="quiet">{host}</bdi>}
      <bdi>{path ?? shortLine(request.path, 400)}</bdi>
      {query !== "" && <bdi className="quiet">{showQuery(query)}</bdi>}
    </>
  );
}

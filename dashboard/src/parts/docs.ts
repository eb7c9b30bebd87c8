/** Where the documentation of the server is. The page links to it and loads nothing of it. */
const DOCS = "https://github.com/lookback-db/lookback/blob/main/docs/";

/** The address of a page of the documentation, such as `guide/capture.md#sampling`. */
export function docs(page: string): string {
  return DOCS + page;
}

/** What stands below a list that has more pages. */
interface Pages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => Promise<unknown>;
}

export function More({ query }: { query: Pages }) {
  if (!query.hasNextPage) return null;
  return (
    <p style={{ padding: "8px 16px" }}>
      <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
        {query.isFetchingNextPage ? "Loading …" : "Load more"}
      </button>
    </p>
  );
}

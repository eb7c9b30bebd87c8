/** A link to a page of the documentation, beside the view that one has open. */
import { docs } from "./docs";

export function DocsLink({ page, children }: { page: string; children: string }) {
  return (
    <a href={docs(page)} target="_blank" rel="noreferrer">
      {children}
      <span aria-hidden> ↗</span>
      <span className="hidden-label"> (in another tab)</span>
    </a>
  );
}

/** The title of the document: what one sees in tabs and in the history of the browser. */
import { shortLine } from "../parts/text";
import { parseRange, nameRange } from "../time/range";
import type { Params } from "./address";
import { VIEWS } from "./views";

/** The view, what is searched for in it, and its range where that is a special one. */
export function titleOf(path: string, params: Params): string {
  const view = VIEWS.find((one) => one.path === path);
  const name = view?.name ?? (path === "/account" ? "Account" : "Lookback");
  const search = view?.model ? (params["q"] ?? "") : "";
  // One endpoint in large is what the view of metrics is of.
  const endpoint = path === "/metrics" ? (params["endpoint"] ?? "") : "";
  const range = view?.hasRange === true ? parseRange(params["range"] ?? "") : null;
  const parts = [shortLine(endpoint === "" ? search : endpoint, 60), name, range ? nameRange(range) : ""].filter((part) => part !== "");
  return [...parts, ...(name === "Lookback" ? [] : ["Lookback"])].join(" · ");
}

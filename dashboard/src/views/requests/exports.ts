/** Requests as files, and as commands. */
import { ApiError, address } from "../../api/client";
import type { Pairs } from "./search";

/** The address of an export of what a search shows. */
export function exportAddress(parameters: Pairs, format: string): string {
  return address("/requests/export", [...parameters.filter(([name]) => name !== "hits"), ["format", format]]);
}

/** The address of an export of one request. */
export function exportOne(id: number, isDeleted: boolean, format: string): string {
  return exportAddress([["id", String(id)], ...(isDeleted ? [["deleted", "only"] as [string, string]] : [])], format);
}

/** A request as a command of curl, as the export writes it. */
export async function curlOf(id: number, isDeleted: boolean): Promise<string> {
  const response = await fetch(exportOne(id, isDeleted, "curl"));
  if (!response.ok) throw new ApiError(response.status, "unknown", "The command could not be read.");
  return response.text();
}

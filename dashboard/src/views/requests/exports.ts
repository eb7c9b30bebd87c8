/** Requests as files, and as commands. */
import { ApiError, exportAddress } from "../../api/client";

/** The address of an export of one request. */
export function exportOne(id: number, isDeleted: boolean, format: string): string {
  return exportAddress("/requests", [["id", String(id)], ...(isDeleted ? [["deleted", "only"] as [string, string]] : [])], format);
}

/** A request as a command of curl. */
export async function curlOf(id: number, isDeleted: boolean): Promise<string> {
  const response = await fetch(exportOne(id, isDeleted, "curl"));
  if (!response.ok) throw new ApiError(response.status, "unknown", "The command could not be read.");
  return commandOf(await response.text());
}

/**
 * The command of an export, without the comments above it: zsh runs what is behind a `;` in a comment
 * that is pasted, and paths are written by strangers.
 */
export function commandOf(exported: string): string {
  const command = exported.replace(/^(?:#[^\n]*(?:\n|$))+/, "").trim();
  if (command !== "") return `${command}\n`;
  const reason = /.*cannot be sent: (.*)/.exec(exported)?.[1];
  throw new ApiError(0, "no-command", reason === undefined ? "There is no such command." : `It cannot be sent: ${reason}.`);
}

/** Changes of users. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { User } from "../../api/client";

export type Role = User["role"];

export const ROLES: [Role, string][] = [
  ["user", "User: may read"],
  ["admin", "Admin: may change everything"],
];

/** Sends a change, and has the lists read again. */
export function useUserChange() {
  const client = useQueryClient();
  return async (method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<void> => {
    await call(`/users${path}`, { method, ...(body === undefined ? {} : { body }) });
    await client.invalidateQueries({ queryKey: ["users"] });
  };
}

export function useRestoreUser() {
  const change = useUserChange();
  return useMutation({ mutationFn: (user: User) => change("POST", `/${user.id}/restore`) });
}

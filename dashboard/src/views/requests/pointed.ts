/** The value that the pointer is on, or that has the focus, for the keys that filter by it. */
export function pointedAt(): { field: string; value: string | null } | null {
  const under = [...document.querySelectorAll(":hover")].at(-1);
  for (const element of [under, document.activeElement]) {
    const found = element?.closest<HTMLElement>("[data-field]");
    const field = found?.dataset["field"];
    if (found && field !== undefined) {
      const value = found.dataset["value"] ?? "";
      return { field, value: value === "" ? null : value };
    }
  }
  return null;
}

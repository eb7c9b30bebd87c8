/** Sorts rows of a table by a name of the address: `-size` has the largest first, those without a value last. */
export function sortRows<T>(rows: T[], sort: string, value: (row: T, name: string) => string | number | null | undefined): T[] {
  const name = sort.replace(/^-/, "");
  const sign = sort.startsWith("-") ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [one, other] = [value(a, name), value(b, name)];
    const [hasNone, otherHasNone] = [one === null || one === undefined, other === null || other === undefined];
    if (hasNone || otherHasNone) return Number(hasNone) - Number(otherHasNone);
    return sign * (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other)));
  });
}

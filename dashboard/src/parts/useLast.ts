/** What was known before stays in sight while something else is awaited, and when it cannot be had. */
import { useState } from "react";

export function useLast<T>(value: T | undefined): T | undefined {
  const [last, setLast] = useState(value);
  if (value !== undefined && value !== last) setLast(value);
  return value ?? last;
}

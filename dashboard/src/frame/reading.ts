/** Whether someone reads what must not move by itself: a list that is scrolled, or a row that is open. */
import { useEffect } from "react";

const readers = new Set<object>();

export function isReading(): boolean {
  return readers.size > 0;
}

export function useReading(isRead: boolean): void {
  useEffect(() => {
    if (!isRead) return;
    const reader = {};
    readers.add(reader);
    return () => {
      readers.delete(reader);
    };
  }, [isRead]);
}

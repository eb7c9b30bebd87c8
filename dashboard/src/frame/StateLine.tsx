/** One line at the bottom, only when something needs it. */
import { useIsFetching } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import styles from "./StateLine.module.css";

function useIsOnline(): boolean {
  return useSyncExternalStore(
    (listener) => {
      addEventListener("online", listener);
      addEventListener("offline", listener);
      return () => {
        removeEventListener("online", listener);
        removeEventListener("offline", listener);
      };
    },
    () => navigator.onLine,
  );
}

export function StateLine() {
  const isOnline = useIsOnline();
  useIsFetching();
  if (isOnline) return null;
  return (
    <footer className={styles.line} role="status">
      No connection. What is shown stays; it asks again when there is one.
    </footer>
  );
}

/** Dark or light: as the system has it, until one chooses. */
import { useCallback, useSyncExternalStore } from "react";

type Theme = "dark" | "light";
const KEY = "lookback.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function chosen(): Theme | null {
  const value = localStorage.getItem(KEY);
  return value === "dark" || value === "light" ? value : null;
}

function show(): void {
  const theme = chosen();
  if (theme === null) delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}
show();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
}

/** The theme that is shown, and a way to choose another. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore(subscribe, () => chosen() ?? (system.matches ? "dark" : "light"));
  const set = useCallback((next: Theme) => {
    localStorage.setItem(KEY, next);
    show();
    listeners.forEach((listener) => listener());
  }, []);
  return [theme, set];
}

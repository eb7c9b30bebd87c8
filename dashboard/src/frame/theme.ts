/** Dark or light: as the system has it, until one chooses. */
import { useCallback, useSyncExternalStore } from "react";

type Theme = "dark" | "light";
const KEY = "lookback.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

/** For a browser that keeps nothing. */
let choice: string | null = null;

function chosen(): Theme | null {
  const value = stored() ?? choice;
  return value === "dark" || value === "light" ? value : null;
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(theme: Theme): void {
  choice = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds until the page is closed.
  }
}

function show(): void {
  const theme = chosen();
  if (theme === null) delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}
show();

// Chosen in another tab.
addEventListener("storage", ({ key }) => {
  if (key !== KEY) return;
  show();
  listeners.forEach((listener) => listener());
});

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
    store(next);
    show();
    listeners.forEach((listener) => listener());
  }, []);
  return [theme, set];
}

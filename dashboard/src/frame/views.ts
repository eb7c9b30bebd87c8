/** The views: their paths and names, and what of the frame each of them needs. */
import type { Model } from "../query/parse";

export interface View {
  path: string;
  name: string;
  /** Whether it stands in the bar, or in the menu of the account. */
  place: "top" | "menu";
  /** What its search looks in. */
  model?: Model;
  hasRange: boolean;
  /** Whether it shows what changed since the period before. */
  compares?: boolean;
  /** The key behind `g` that goes to it. */
  key?: string;
  /** Whether only admins have it. */
  isForAdmins: boolean;
}

export const VIEWS: View[] = [
  { path: "/", name: "Overview", key: "o", compares: true, place: "top", model: "requests", hasRange: true, isForAdmins: false },
  { path: "/logs", name: "Logs", key: "l", place: "top", model: "logs", hasRange: true, isForAdmins: false },
  { path: "/requests", name: "Requests", key: "r", place: "top", model: "requests", hasRange: true, isForAdmins: false },
  { path: "/metrics", name: "Metrics", key: "m", compares: true, place: "top", model: "metrics", hasRange: true, isForAdmins: false },
  { path: "/alerts", name: "Alerts", key: "a", place: "menu", hasRange: false, isForAdmins: false },
  { path: "/storage", name: "Storage", key: "s", place: "menu", hasRange: false, isForAdmins: false },
  { path: "/users", name: "Users", key: "u", place: "menu", hasRange: false, isForAdmins: true },
  { path: "/keys", name: "API keys", key: "k", place: "menu", hasRange: false, isForAdmins: true },
  { path: "/start", name: "Send records", place: "menu", hasRange: false, isForAdmins: false },
];

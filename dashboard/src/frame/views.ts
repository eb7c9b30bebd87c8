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
  /** Whether only admins have it. */
  isForAdmins: boolean;
}

export const VIEWS: View[] = [
  { path: "/", name: "Overview", place: "top", model: "requests", hasRange: true, isForAdmins: false },
  { path: "/logs", name: "Logs", place: "top", model: "logs", hasRange: true, isForAdmins: false },
  { path: "/requests", name: "Requests", place: "top", model: "requests", hasRange: true, isForAdmins: false },
  { path: "/metrics", name: "Metrics", place: "top", model: "metrics", hasRange: true, isForAdmins: false },
  { path: "/alerts", name: "Alerts", place: "menu", hasRange: false, isForAdmins: false },
  { path: "/storage", name: "Storage", place: "menu", hasRange: false, isForAdmins: false },
  { path: "/users", name: "Users", place: "menu", hasRange: false, isForAdmins: true },
  { path: "/keys", name: "API keys", place: "menu", hasRange: false, isForAdmins: true },
  { path: "/start", name: "Send records", place: "menu", hasRange: false, isForAdmins: false },
];

/** The views: their paths and names, and what of the frame each of them needs. */
import type { Model } from "../query/parse";

export interface View {
  path: string;
  name: string;
  /** Whether it stands in the bar, or behind “More” there: on a telephone, or always. */
  place: "top" | "wide" | "more";
  /** What its search looks in. */
  model?: Model;
  hasRange: boolean;
  /** Whether it shows records of all kinds, so that its search has the fields of all. */
  isOfAll?: boolean;
  /** Other words by which it is found. */
  also: string;
  /** Whether it shows what changed since the period before. */
  compares?: boolean;
  /** The key behind `g` that goes to it. */
  key?: string;
  /** Whether only admins have it. */
  isForAdmins: boolean;
}

export const VIEWS: View[] = [
  { path: "/", name: "Overview", key: "o", also: "home start dashboard summary traffic", compares: true, isOfAll: true, place: "top", model: "requests", hasRange: true, isForAdmins: false },
  { path: "/logs", name: "Logs", key: "l", also: "log lines messages tail patterns", place: "top", model: "logs", hasRange: true, isForAdmins: false },
  { path: "/requests", name: "Requests", key: "r", also: "http calls access replay snapshots", place: "top", model: "requests", hasRange: true, isForAdmins: false },
  { path: "/metrics", name: "Metrics", key: "m", also: "latency percentiles p50 p95 p99 charts graphs endpoints routes slow speed performance", compares: true, place: "top", model: "metrics", hasRange: true, isForAdmins: false },
  { path: "/alerts", name: "Alerts", key: "a", also: "alarms rules notifications webhooks monitors history", place: "wide", hasRange: false, isForAdmins: false },
  { path: "/storage", name: "Storage", key: "s", also: "database tables disk size space partitions retention pruning sealing", place: "more", hasRange: false, isForAdmins: false },
  { path: "/users", name: "Users", key: "u", also: "people team members accounts roles admins reset password invite", place: "more", hasRange: false, isForAdmins: true },
  { path: "/keys", name: "API keys", key: "k", also: "tokens secrets credentials revoke", place: "more", hasRange: false, isForAdmins: true },
  { path: "/start", name: "Send records", also: "first run getting started setup install connect onboarding ingest curl opentelemetry", place: "more", hasRange: false, isForAdmins: false },
];

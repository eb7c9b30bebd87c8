import { Empty } from "../../parts/State";

export function Alerts() {
  return <Empty title="Alerts" />;
}

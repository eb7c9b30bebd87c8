import { Empty } from "../../parts/State";

export function Metrics() {
  return <Empty title="Metrics" />;
}

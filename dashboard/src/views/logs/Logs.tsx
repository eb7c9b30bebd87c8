import { Empty } from "../../parts/State";

export function Logs() {
  return <Empty title="Logs" />;
}

import { Empty } from "../../parts/State";

export function Requests() {
  return <Empty title="Requests" />;
}

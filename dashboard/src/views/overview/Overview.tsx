import { Empty } from "../../parts/State";

export function Overview() {
  return <Empty title="Overview" />;
}

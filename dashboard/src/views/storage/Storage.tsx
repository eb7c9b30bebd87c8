import { Empty } from "../../parts/State";

export function Storage() {
  return <Empty title="Storage" />;
}

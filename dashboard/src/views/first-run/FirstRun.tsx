import { Empty } from "../../parts/State";

export function FirstRun() {
  return <Empty title="FirstRun" />;
}

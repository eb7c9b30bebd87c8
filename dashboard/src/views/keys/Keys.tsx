import { Empty } from "../../parts/State";

export function Keys() {
  return <Empty title="Keys" />;
}

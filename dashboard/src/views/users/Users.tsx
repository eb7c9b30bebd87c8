import { Empty } from "../../parts/State";

export function Users() {
  return <Empty title="Users" />;
}

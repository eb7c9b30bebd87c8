/** The line of a part of the overview that leaves out filters of the search. */
import { NotUsed } from "../../frame/NotUsed";
import type { Model } from "../../query/parse";
import { notUsedBy } from "./summary";
import styles from "./Overview.module.css";

export function NotUsedHere({ text, model }: { text: string; model: Model }) {
  const terms = notUsedBy(text, model);
  if (terms === "") return null;
  return (
    <p className={`quiet small ${styles.notUsed ?? ""}`}>
      <NotUsed terms={terms} model={model} />
    </p>
  );
}

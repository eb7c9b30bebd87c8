/** The dialogs that test and delete a rule. */
import { useState } from "react";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { Form, FormActions, FormProblem } from "../../parts/Form";
import { Name } from "../../parts/Name";
import { useForm } from "../../parts/useForm";
import { useRuleChange } from "./data";
import type { TestResult } from "./data";
import type { Rule } from "./rule";
import styles from "./Alerts.module.css";

interface Props {
  rule: Rule;
  onClose: () => void;
}

export function TestRule({ rule, onClose }: Props) {
  const change = useRuleChange();
  const [result, setResult] = useState<TestResult | null>(null);
  const form = useForm({
    send: async () => {
      setResult(null);
      setResult((await change<{ data: TestResult }>("POST", `/${rule.id}/test`)).data);
    },
  });
  return (
    <Dialog title="Test the webhook" kind="form" onClose={onClose}>
      <Form form={form} label="Test the webhook">
        <p>
          <Name text={rule.webhook ?? ""} /> gets a change with the state <code>test</code> of <Name text={rule.name} />.
        </p>
        <div role="status">{result && <Result result={result} />}</div>
        <FormProblem />
        <FormActions sending="Sending …" onCancel={onClose} cancel={result ? "Close" : "Cancel"}>
          {result ? "Send again" : "Send"}
        </FormActions>
      </Form>
    </Dialog>
  );
}

function Result({ result }: { result: TestResult }) {
  if (result.is_delivered) return <p>✓ Delivered: it answered {result.status}.</p>;
  return (
    <p className={styles.problem}>
      ⚠ Not delivered: <Name text={result.problem ?? ""} most={1000} />
    </p>
  );
}

export function DeleteRule({ rule, onClose }: Props) {
  const change = useRuleChange();
  return (
    <Confirm title="Delete a rule" action="Delete" run={() => change<undefined>("DELETE", `/${rule.id}`)} onClose={onClose}>
      <p>
        <Name text={rule.name} /> will no longer be watched. Its history stays. To watch it again later, pause it instead.
      </p>
      {(rule.status.state === "firing" || rule.status.state === "resolving") && (
        <p>
          It is firing now. {rule.webhook === null ? "It will not become resolved" : "The webhook will get no “resolved” for it"}: the history will say that the rule was deleted.
        </p>
      )}
    </Confirm>
  );
}

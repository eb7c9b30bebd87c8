/** A question before something that cannot be taken back by a key. */
import type { ReactNode } from "react";
import { Dialog } from "./Dialog";
import { Form, FormActions, FormProblem } from "./Form";
import { useForm } from "./useForm";

interface Props {
  title: string;
  /** What the button says: the very thing that it does. */
  action: string;
  run: () => Promise<void>;
  onClose: () => void;
  children: ReactNode;
}

export function Confirm({ title, action, run, onClose, children }: Props) {
  const form = useForm({
    send: async () => {
      await run();
      onClose();
    },
  });
  return (
    <Dialog title={title} kind="form" onClose={onClose}>
      <Form form={form} label={title}>
        {children}
        <FormProblem />
        <FormActions isDanger sending="One moment …" onCancel={onClose}>
          {action}
        </FormActions>
      </Form>
    </Dialog>
  );
}

/** The keys that work now. */
import { Dialog } from "../parts/Dialog";
import { useAllKeys } from "./keys";

export function KeysHelp({ onClose }: { onClose: () => void }) {
  const keys = useAllKeys();
  return (
    <Dialog title="Keys" onClose={onClose}>
      <h2>Keys</h2>
      <table>
        <tbody>
          {keys.map((key) => (
            <tr key={key.keys}>
              <td>
                <kbd>{key.keys}</kbd>
              </td>
              <td>{key.name}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

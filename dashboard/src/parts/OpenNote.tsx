/** Says of a server that asks nobody to log in that this is so, where one would look for what is not needed. */
import { useSession } from "../api/session";

export function OpenNote({ children }: { children: string }) {
  const { is_open } = useSession();
  if (!is_open) return null;
  return (
    <p className="padded" role="note">
      This server asks nobody to log in: everybody who reaches it can read and change everything. {children}
    </p>
  );
}

/** Copies the link of what is shown: with a range until now as it is, or with the times it has now. */
import { useState } from "react";
import { useWindow } from "../frame/window";
import { nameRange } from "../time/range";
import { withoutOpen, withTimes } from "./links";
import { Menu } from "./Menu";
import { Copy } from "./Show";

interface Props {
  /** What the link shows: the view, or the record that is open in it. */
  of: "view" | "line";
}

export function CopyLink({ of }: Props) {
  const { range, from, until } = useWindow();
  const [said, setSaid] = useState("");
  const name = `Copy link to ${of}`;
  // Beside a line there is less room.
  const label = of === "view" ? name : `Link to ${of}`;
  const address = () => (of === "view" ? withoutOpen(location.href) : location.href);
  if (range.kind === "between") return <Copy text={address}>{label}</Copy>;
  const copy = async (text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("Not allowed here");
    }
    setTimeout(() => setSaid(""), 2500);
  };
  return (
    <Menu label={
        <span className="keeps-width" data-label={`${label} ▾`}>
          <span aria-live="polite">{said || `${label} ▾`}</span>
        </span>
      }>
      <button type="button" role="menuitem" className="plain" title="Shows the time up to when it is opened" onClick={() => void copy(address())}>
        {name} ({nameRange(range).toLowerCase()}, whenever it is opened)
      </button>
      <button type="button" role="menuitem" className="plain" title="Shows the same records to everybody who opens it" onClick={() => void copy(withTimes(address(), from, until))}>
        {name} with these times
      </button>
    </Menu>
  );
}

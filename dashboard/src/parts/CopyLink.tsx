/** Copies the link of what is shown: with a range until now as it is, or with the times it has now. */
import { useState } from "react";
import { useWindow } from "../frame/window";
import { nameRange } from "../time/range";
import { withTimes } from "./links";
import { Menu } from "./Menu";
import { Copy } from "./Show";

export function CopyLink() {
  const { range, from, until } = useWindow();
  const [said, setSaid] = useState("");
  if (range.kind === "between") return <Copy text={() => location.href}>Copy link</Copy>;
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
    <Menu label={<span aria-live="polite">{said || "Copy link ▾"}</span>}>
      <button type="button" role="menuitem" className="plain" title="Shows the time up to when it is opened" onClick={() => void copy(location.href)}>
        Copy link ({nameRange(range).toLowerCase()}, whenever it is opened)
      </button>
      <button type="button" role="menuitem" className="plain" title="Shows the same records to everybody who opens it" onClick={() => void copy(withTimes(location.href, from, until))}>
        Copy link with these times
      </button>
    </Menu>
  );
}

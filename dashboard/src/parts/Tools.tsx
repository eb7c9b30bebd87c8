/** Tools in the head of a view: a box that finds in its list, and a switch. */
import { useEffect, useRef, useState } from "react";
import { useParam } from "../frame/address";
import { useKeys } from "../frame/keys";

/** Finds as one types, after a moment; what is found is in the address. */
export function FindBox({ label, name = "find" }: { label: string; name?: string }) {
  const [asked, setAsked] = useParam(name);
  const [typed, setTyped] = useState({ text: asked, asked });
  // Another search in the address takes the place of what was typed.
  const text = typed.asked === asked ? typed.text : asked;
  const input = useRef<HTMLInputElement>(null);
  useKeys([{ keys: "/", name: label, run: () => input.current?.select() }]);
  useEffect(() => {
    if (text === asked) return;
    const timer = setTimeout(() => {
      setTyped({ text, asked: text.trim() });
      setAsked(text.trim(), { replace: true });
    }, 250);
    return () => clearTimeout(timer);
  }, [asked, setAsked, text]);
  return (
    <input
      ref={input}
      type="search"
      aria-label={label}
      placeholder={`${label} …`}
      value={text}
      spellCheck={false}
      autoComplete="off"
      onChange={(event) => setTyped({ text: event.target.value, asked })}
    />
  );
}

export function Switch({ isOn, onChange, title, children }: { isOn: boolean; onChange: (isOn: boolean) => void; title?: string; children: string }) {
  return (
    <button type="button" aria-pressed={isOn} title={title} onClick={() => onChange(!isOn)}>
      <span aria-hidden>{isOn ? "✓" : "○"}</span>
      {children}
    </button>
  );
}

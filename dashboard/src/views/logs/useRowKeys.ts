/** The keys that act on the row under the cursor, or on the part that the pointer is over. */
import { useCallback, useRef, useState } from "react";
import type { RefObject } from "react";
import { useParam } from "../../frame/address";
import { useKeys } from "../../frame/keys";
import { withCell } from "./filters";
import { CELLS } from "./LineRow";
import type { Cell } from "./LineRow";
import type { Line } from "./lines";

interface Target {
  line: Line;
  cell: Cell;
}

interface Options {
  /** The row that is chosen. */
  chosen: Line | null;
  onCopies: (line: Line) => void;
  say: (text: string) => void;
}

export function useRowKeys({ chosen, onCopies, say }: Options) {
  const [text, setText] = useParam("q");
  const [cell, setCell] = useState<Cell>("source");
  // Where the pointer is counts until the keys move the cursor.
  const pointed: RefObject<Target | null> = useRef(null);
  const point = useCallback((line: Line, at: Cell | null) => {
    pointed.current = at ? { line, cell: at } : null;
  }, []);
  const target = (): Target | null => pointed.current ?? (chosen ? { line: chosen, cell } : null);
  const filter = (isExcluded: boolean) => {
    const at = target();
    if (!at) say("Choose a row first (j, k).");
    else setText(withCell(text, at.line.log, at.cell, isExcluded));
  };
  const move = (by: number) => {
    pointed.current = null;
    setCell(CELLS[(CELLS.indexOf(cell) + by + CELLS.length) % CELLS.length] ?? "source");
  };
  useKeys([
    { keys: "f", name: "Only lines with the value under the cursor", run: () => filter(false) },
    { keys: "x", name: "No lines with the value under the cursor", run: () => filter(true) },
    { keys: "ArrowRight", name: "Next value of the row", run: () => move(1) },
    { keys: "ArrowLeft", name: "Previous value of the row", run: () => move(-1) },
    {
      keys: "o",
      name: "Show the copies, or hide them",
      run: () => {
        if (chosen) onCopies(chosen);
      },
    },
    {
      keys: "c",
      name: "Copy the message",
      run: () => {
        const line = pointed.current?.line ?? chosen;
        if (!line) say("Choose a row first (j, k).");
        else
          navigator.clipboard.writeText(line.log.message).then(
            () => say("Copied the message."),
            () => say("The browser does not allow copying here."),
          );
      },
    },
  ]);
  const forget = useCallback(() => {
    pointed.current = null;
  }, []);
  return { cell, point, forget };
}

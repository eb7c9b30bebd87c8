/** The range of time of the view. */
import { COMMON_RANGES, nameRange, parseRange, shift } from "../time/range";
import { Menu } from "../parts/Menu";
import { useWindow } from "./window";

export function RangePicker() {
  const { range, setRange, from, until } = useWindow();
  const move = (by: -1 | 1) => setRange(shift({ kind: "between", from, until }, by, new Date()));
  return (
    <>
      <Menu label={`${nameRange(range)} ▾`}>
        {COMMON_RANGES.map((text) => {
          const one = parseRange(text);
          return (
            one && (
              <button key={text} type="button" role="menuitem" className="plain" onClick={() => setRange(one)}>
                {nameRange(one)}
              </button>
            )
          );
        })}
      </Menu>
      <button type="button" aria-label="Earlier" onClick={() => move(-1)}>
        ◀
      </button>
      <button type="button" aria-label="Later" onClick={() => move(1)}>
        ▶
      </button>
    </>
  );
}

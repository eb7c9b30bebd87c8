/** The rows of some lines. */
import { useCallback, useState } from "react";
import type { MouseEvent, ReactNode, Ref } from "react";
import { VirtualList } from "../../parts/VirtualList";
import type { ListControl } from "../../parts/VirtualList";
import { LineRow } from "./LineRow";
import type { Cell } from "./LineRow";
import { copyKey } from "./lines";
import type { Line } from "./lines";

interface Props {
  label: string;
  lines: Line[];
  chosenId: number | null;
  onChoose: (line: Line) => void;
  /** Called by a click, or Enter. */
  onOpen: (line: Line) => void;
  /** Called by a click on the number of copies. */
  onCopies?: (line: Line) => void;
  onPoint?: (line: Line, cell: Cell | null) => void;
  onEnd?: () => void;
  onTop?: (isAtTop: boolean) => void;
  marks?: RegExp | null;
  cell?: Cell | null;
  hasDays: boolean;
  newKeys?: ReadonlySet<string>;
  deletedIds?: ReadonlySet<number>;
  copiesId?: number | null;
  isStale?: boolean;
  hasKeys?: boolean;
  foot?: ReactNode;
  control?: Ref<ListControl>;
}

const NO_KEYS: ReadonlySet<string> = new Set();
const NO_IDS: ReadonlySet<number> = new Set();
const idOf = (line: Line) => line.id;

/** The width of a character of data, in pixels. */
function characterWidth(): number {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return 7.3;
  context.font = `12px ${getComputedStyle(document.documentElement).getPropertyValue("--data")}`;
  return context.measureText("0".repeat(100)).width / 100 || 7.3;
}
let character = 0;

/** The width up to which a list has neither sources nor days, as its style says. */
const NARROW = 640;

/** How many characters of a message fit beside the time, level and source. */
function columnsOf(width: number, hasDays: boolean): number {
  character ||= characterWidth();
  const isNarrow = width <= NARROW;
  const before = isNarrow ? 12 + 5 : (hasDays ? 19 : 12) + 5 + 14;
  const gaps = 32 + (isNarrow ? 2 : 3) * 12;
  return Math.max(12, Math.floor((width - gaps) / character) - before);
}

export function LineList(props: Props) {
  const { label, lines, chosenId, onChoose, onOpen, onCopies, onPoint, onEnd, onTop, marks = null, cell = null, hasDays, newKeys = NO_KEYS, deletedIds = NO_IDS, copiesId = null, isStale = false, hasKeys = false, foot, control } = props;
  const [width, setWidth] = useState(0);
  const columns = columnsOf(width, hasDays);
  const open = useCallback(
    (line: Line, _: number, event?: MouseEvent) => {
      const isOnCopies = event?.target instanceof Element && event.target.closest("[data-copies]") !== null;
      if (isOnCopies && onCopies) onCopies(line);
      else onOpen(line);
    },
    [onCopies, onOpen],
  );
  const point = useCallback(
    (line: Line, target: EventTarget) => {
      const at = target instanceof Element ? target.closest<HTMLElement>("[data-cell]")?.dataset["cell"] : undefined;
      onPoint?.(line, (at ?? null) as Cell | null);
    },
    [onPoint],
  );
  return (
    <VirtualList
      rows={lines}
      idOf={idOf}
      label={label}
      chosen={chosenId}
      onChoose={onChoose}
      onOpen={open}
      onWidth={setWidth}
      isStale={isStale}
      hasKeys={hasKeys}
      foot={foot}
      {...(onPoint ? { onPoint: point } : {})}
      {...(onEnd ? { onEnd } : {})}
      {...(onTop ? { onTop } : {})}
      {...(control ? { control } : {})}
    >
      {(line) => (
        <LineRow
          line={line}
          columns={columns}
          hasDays={hasDays}
          marks={marks}
          cell={line.id === chosenId ? cell : null}
          isNew={newKeys.size > 0 && !line.isCopy && newKeys.has(copyKey(line.log))}
          isDeleted={deletedIds.has(line.id)}
          isOpened={line.id === copiesId}
        />
      )}
    </VirtualList>
  );
}

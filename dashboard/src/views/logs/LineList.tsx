/** The rows of some lines. */
import { useCallback, useState } from "react";
import type { MouseEvent, ReactNode, Ref } from "react";
import { columnsIn } from "../../parts/columns";
import { useIsNarrow } from "../../parts/useIsNarrow";
import { VirtualList } from "../../parts/VirtualList";
import type { Answered } from "../../parts/scrollPlaces";
import type { ListControl } from "../../parts/VirtualList";
import { LineRow } from "./LineRow";
import type { Cell } from "./LineRow";
import { copyKey } from "./lines";
import type { Line } from "./lines";

interface Props {
  label: string;
  lines: Line[];
  chosenId: number | null;
  /** What was chosen, if the row stands for it. */
  followId?: number | null;
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
  isStale?: boolean;
  answers?: Answered;
  hasKeys?: boolean;
  foot?: ReactNode;
  control?: Ref<ListControl>;
}

const NO_KEYS: ReadonlySet<string> = new Set();
const NO_IDS: ReadonlySet<number> = new Set();
const idOf = (line: Line) => line.id;

/** The width up to which a list has neither sources nor days, as its style says. */
export const NARROW = 640;
/** The width from which sources have more room, as its style says. */
const WIDE = 1000;

/** How many characters of a source are shown. */
export function sourceColumns(width: number): number {
  return width >= WIDE ? 24 : 14;
}

/** The pixels of a row that are around its parts; a narrow window has less of them (VirtualList.module.css). */
export function pixelsAround(gaps: number, isInNarrowWindow: boolean): number {
  return isInNarrowWindow ? 16 + gaps * 8 : 32 + gaps * 12;
}

/** How many characters of a message fit beside the time, level and source. */
function columnsOf(width: number, hasDays: boolean, isInNarrowWindow: boolean): number {
  const isNarrow = width <= NARROW;
  const before = isNarrow ? 12 + 5 : (hasDays ? 19 : 12) + 5 + sourceColumns(width);
  const gaps = pixelsAround(isNarrow ? 2 : 3, isInNarrowWindow);
  return Math.max(12, columnsIn(width - gaps) - before);
}

export function LineList(props: Props) {
  const { label, lines, chosenId, followId = chosenId, onChoose, onOpen, onCopies, onPoint, onEnd, onTop, marks = null, cell = null, hasDays, newKeys = NO_KEYS, deletedIds = NO_IDS, isStale = false, hasKeys = false, answers, foot, control } = props;
  const [width, setWidth] = useState(0);
  const columns = columnsOf(width, hasDays, useIsNarrow());
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
      follow={followId}
      onChoose={onChoose}
      onOpen={open}
      onWidth={setWidth}
      isStale={isStale}
      answers={answers}
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
          isNew={newKeys.size > 0 && line.copyOf === null && newKeys.has(copyKey(line.log))}
          isDeleted={deletedIds.has(line.id)}
        />
      )}
    </VirtualList>
  );
}

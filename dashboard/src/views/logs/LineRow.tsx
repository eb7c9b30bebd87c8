/** A line of the log as one row: never wrapped, cut where it says least. */
import { memo, useMemo } from "react";
import { rowOf } from "../../parts/excerpt";
import { shortLine } from "../../parts/text";
import { clock, count, inFull, wholePercent } from "../../time/format";
import type { Line } from "./lines";
import { Segments } from "./Segments";
import { segments } from "./text";
import styles from "./LineRow.module.css";

/** The parts of a row that one filters by. */
export type Cell = "level" | "source" | "message" | "trace_id";
export const CELLS: Cell[] = ["level", "source", "message"];

/** How much room the marks behind a message take: of copies, what is around their number. */
const COPIES_COLUMNS = 6;
const NOTE_COLUMNS = 6;
const SIMILARITY_COLUMNS = 8;

interface Props {
  line: Line;
  /** How many characters of the message there is room for. */
  columns: number;
  /** Whether lines are of several days. */
  hasDays: boolean;
  marks: RegExp | null;
  /** The part under the cursor, in the row that is chosen. */
  cell: Cell | null;
  isNew: boolean;
  isDeleted: boolean;
}

export const LineRow = memo(function LineRow({ line, columns, hasDays, marks, cell, isNew, isDeleted }: Props) {
  const { log, copies, copiesAreExact, copyOf, isOpened, similarity = null } = line;
  const found = line.marks ?? marks;
  const room = columns - (copies > 1 ? COPIES_COLUMNS + count(copies).length + (copiesAreExact ? 0 : 1) : 0) - (similarity === null ? 0 : SIMILARITY_COLUMNS) - (isNew ? NOTE_COLUMNS : 0) - (isDeleted ? 2 * NOTE_COLUMNS : 0);
  const parts = useMemo(() => segments(rowOf(log.message, room, found), found), [found, log.message, room]);
  return (
    <>
      <time className={styles.time} data-days={hasDays || undefined} dateTime={log.created_at} title={inFull(log.created_at)}>
        {copyOf !== null && (
          <span aria-hidden className={styles.branch}>
            └
          </span>
        )}
        {hasDays ? clock(log.created_at) : clock(log.created_at, new Date(log.created_at))}
      </time>
      <span className={`${styles.level ?? ""} level-${log.level}`} data-cell="level" data-at={cell === "level" || undefined}>
        {log.level}
      </span>
      <bdi className={styles.source} data-cell="source" data-at={cell === "source" || undefined} title={shortLine(log.source)}>
        {shortLine(log.source, 100)}
      </bdi>
      <bdi className={styles.message} data-cell="message" data-at={cell === "message" || undefined} data-deleted={isDeleted || undefined}>
        <Segments parts={parts} />
      </bdi>
      {similarity !== null && (
        <span className={styles.note} title="How similar it is to the line that is open">
          {wholePercent(similarity)}
        </span>
      )}
      {isDeleted && <span className={styles.note}>deleted</span>}
      {isNew && (
        <span className={styles.note} title="No such line in the period before">
          new
        </span>
      )}
      {copies > 1 && (
        <span className={styles.copies} data-copies title={`${copiesAreExact ? "" : "At least "}${count(copies)} lines that differ only in numbers and ids (o ${isOpened ? "closes" : "shows"} them)`}>
          ×{count(copies)}
          {!copiesAreExact && "+"}
          <span aria-hidden>{isOpened ? " ▾" : " ▸"}</span>
        </span>
      )}
    </>
  );
});

/** The values of a chart as a table, behind a button: for those who hear them, and those who copy them. */
import { useState } from "react";
import { clock, inFull } from "../../time/format";
import { Dialog } from "../Dialog";
import type { Series } from "./series";
import styles from "../Chart.module.css";

interface Props {
  label: string;
  times: number[];
  series: Series[];
  format: (value: number) => string;
}

export function ValueTable({ label, times, series, format }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button type="button" className={styles.tableButton} onClick={() => setOpen(true)}>
        <span className="hidden-label">{label}: </span>
        Values as a table
      </button>
      {isOpen && (
        <Dialog title={label} onClose={() => setOpen(false)}>
          <table>
            <caption>{label}</caption>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {series.map((one) => (
                  <th key={one.name} scope="col" className="number">
                    {one.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, at) => {
                const text = new Date(time).toISOString();
                return (
                  <tr key={time}>
                    <th scope="row">
                      <time dateTime={text} title={inFull(text)}>
                        {clock(text).replace(/\.000$/, "")}
                      </time>
                    </th>
                    {series.map((one) => {
                      const value = one.values[at];
                      return (
                        <td key={one.name} className="number">
                          {value === null || value === undefined ? "–" : format(value)}
                        </td>
                      );
                    })}
                  </tr>
                );
              })}
            </tbody>
          </table>
          <button type="button" onClick={() => setOpen(false)}>
            Close
          </button>
        </Dialog>
      )}
    </>
  );
}

/** All that a list shows, as a file. */
import { Menu } from "./Menu";

const NAMES = { har: "HAR, for a browser or a proxy", jsonl: "JSON lines", csv: "CSV for spreadsheets", parquet: "Parquet", curl: "curl commands" };
const EXTENSIONS: Partial<Record<Format, string>> = { curl: "sh" };
export type Format = keyof typeof NAMES;

interface Props {
  /** What is exported, and how the file is called: `logs`. */
  what: string;
  formats: Format[];
  addressOf: (format: Format) => string;
}

export function ExportMenu({ what, formats, addressOf }: Props) {
  return (
    <Menu label="Export ▾" title={`All ${what} of the search and the range, as a file`}>
      {formats.map((format) => (
        <a key={format} role="menuitem" tabIndex={-1} href={addressOf(format)} download={`${what}.${EXTENSIONS[format] ?? format}`}>
          {NAMES[format]}
        </a>
      ))}
    </Menu>
  );
}

/** All shown requests as a file, in the order of the list. */
import { Menu } from "../../parts/Menu";
import { exportAddress } from "./exports";
import type { RequestSearch } from "./search";

const FORMATS: { format: string; extension: string; name: string }[] = [
  { format: "har", extension: "har", name: "HAR, for a browser or a proxy" },
  { format: "jsonl", extension: "jsonl", name: "JSON lines" },
  { format: "csv", extension: "csv", name: "CSV for spreadsheets" },
  { format: "parquet", extension: "parquet", name: "Parquet" },
  { format: "curl", extension: "sh", name: "curl commands" },
];

export function ExportMenu({ search }: { search: RequestSearch }) {
  return (
    <Menu label="Export ▾" title="All requests that are shown, as a file">
      {FORMATS.map(({ format, extension, name }) => (
        <a key={format} role="menuitem" href={exportAddress(search.listed, format)} download={`requests.${extension}`}>
          {name}
        </a>
      ))}
    </Menu>
  );
}

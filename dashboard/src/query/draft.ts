/** What was typed into the search and not asked: it stays, whatever view is shown in between. */
export interface Draft {
  text: string;
  caret: number;
  /** What the address had when it was typed. */
  asked: string;
}

let kept: Draft | null = null;

export function keptDraft(): Draft | null {
  return kept;
}

export function keepDraft(draft: Draft | null): void {
  kept = draft;
}

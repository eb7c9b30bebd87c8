/** When a request is sent: as soon as its preview is there, once, and as the preview shows it. */
import type { ReplayAnswer, Settings } from "./api";

export type Phase =
  | { kind: "idle" }
  /** Sending was asked for before the preview was there. */
  | { kind: "waiting" }
  /** The preview is there, and whether it may change data is to be confirmed. */
  | { kind: "asking"; settings: Settings }
  | { kind: "sending" }
  /** It was asked for, and cannot be sent: the preview says why. */
  | { kind: "refused" };

export interface Steps {
  /** The request as it would be sent with these settings; rejects if it cannot be known. */
  preview: (settings: Settings) => Promise<ReplayAnswer>;
  send: (settings: Settings) => Promise<unknown>;
  /** Whether sending it changes nothing, so that nobody is asked. */
  isSafe: boolean;
}

/** Whether what a preview shows can be sent. */
export function isSendable(preview: ReplayAnswer | undefined): boolean {
  return preview?.result === "dry_run" && preview.target_is_allowed;
}

/** Takes one wish to send at a time. Asking again meanwhile, as a second Enter does, asks for nothing more. */
export class Sender {
  private phase: Phase = { kind: "idle" };
  /** Which wish is the last: one that was taken back ends without a trace. */
  private wish = 0;

  constructor(private readonly onPhase: (phase: Phase) => void) {}

  /** Sends with these settings once their preview is there. */
  async ask(settings: Settings, { preview, send, isSafe }: Steps): Promise<void> {
    if (this.phase.kind !== "idle" && this.phase.kind !== "refused") return;
    const wish = ++this.wish;
    this.enter({ kind: "waiting" });
    const shown = await preview(settings).catch(() => undefined);
    if (wish !== this.wish) return;
    if (!isSendable(shown)) this.enter({ kind: "refused" });
    else if (isSafe) await this.run(settings, send);
    else this.enter({ kind: "asking", settings });
  }

  /** Sends what was asked about. */
  async confirm(send: Steps["send"]): Promise<void> {
    if (this.phase.kind === "asking") await this.run(this.phase.settings, send);
  }

  /** Takes the wish back, which is too late once it is sent. Other settings do it, too: they were not asked for. */
  cancel(): void {
    if (this.phase.kind === "sending" || this.phase.kind === "idle") return;
    this.wish++;
    this.enter({ kind: "idle" });
  }

  private async run(settings: Settings, send: Steps["send"]): Promise<void> {
    this.enter({ kind: "sending" });
    // What went wrong is shown by who sends.
    await send(settings).catch(() => undefined);
    this.enter({ kind: "idle" });
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.onPhase(phase);
  }
}

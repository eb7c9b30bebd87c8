/**
 * Does something whenever it is asked for, in a measure: at once, but not twice within a while, never beside itself,
 * and the rarer the longer it takes.
 */

/** From one start to the next it is as many times as long as it takes: a tenth of the time, at most, goes into it. */
const REST = 10;

export class Pace {
  private isAsked = false;
  private isRunning = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private next = 0;

  constructor(
    private readonly run: () => Promise<unknown>,
    private readonly leastMs: number,
  ) {}

  ask(): void {
    this.isAsked = true;
    this.plan();
  }

  /** Forgets what was asked for; what runs goes on. */
  stop(): void {
    this.isAsked = false;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private plan(): void {
    if (!this.isAsked || this.isRunning || this.timer !== undefined) return;
    this.timer = setTimeout(() => void this.start(), Math.max(0, this.next - Date.now()));
  }

  private async start(): Promise<void> {
    this.timer = undefined;
    this.isAsked = false;
    this.isRunning = true;
    const start = Date.now();
    try {
      await this.run();
    } finally {
      this.next = start + Math.max(this.leastMs, REST * (Date.now() - start));
      this.isRunning = false;
      this.plan();
    }
  }
}

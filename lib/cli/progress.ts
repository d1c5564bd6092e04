/**
 * The line that shows a long transfer on a terminal: bytes, speed, and how long it will take.
 *
 * @module
 */
import { formatDuration, formatSize } from "../quantities.ts";
import type { Terminal } from "./terminal.ts";

/** Faster than this, nobody can read it. */
const REDRAW_MS = 100;
/** What is done sooner needs no such line. */
const QUIET_MS = 300;

/** How far a transfer is. */
export interface Progressed {
  readonly bytes: number;
  /** If it is known. */
  readonly totalBytes?: number | undefined;
  readonly elapsedMs: number;
}

/** The words of the line. */
export function progressLine({ bytes, totalBytes, elapsedMs }: Progressed): string {
  const bytesPerMs = bytes / Math.max(1, elapsedMs);
  const speed = `${formatSize(Math.round(bytesPerMs * 1000))}/s`;
  if (totalBytes === undefined || totalBytes < bytes) return `${formatSize(bytes)}  ${speed}`;
  const percent = totalBytes === 0 ? 100 : Math.floor(bytes / totalBytes * 100);
  const remaining = bytesPerMs === 0 ? "" : `  ${formatDuration((totalBytes - bytes) / bytesPerMs)} left`;
  return `${formatSize(bytes)} of ${formatSize(totalBytes)}  ${percent}%  ${speed}${remaining}`;
}

/** Draws the line now and then, if somebody watches. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #enabled: boolean;
  readonly #totalBytes: number | undefined;
  readonly #now: () => number;
  readonly #startMs: number;
  #bytes = 0;
  #drawnMs: number;

  /** With `enabled: false` it only counts. */
  constructor(
    terminal: Terminal,
    { enabled, totalBytes, now = () => performance.now() }: {
      enabled: boolean;
      totalBytes?: number | undefined;
      now?: () => number;
    },
  ) {
    this.#terminal = terminal;
    this.#enabled = enabled;
    this.#totalBytes = totalBytes;
    this.#now = now;
    this.#startMs = now();
    this.#drawnMs = this.#startMs + QUIET_MS - REDRAW_MS;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get elapsedMs(): number {
    return this.#now() - this.#startMs;
  }

  /** Counts bytes. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (!this.#enabled) return;
    const nowMs = this.#now();
    if (nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#terminal.progress(
      progressLine({ bytes: this.#bytes, totalBytes: this.#totalBytes, elapsedMs: nowMs - this.#startMs }),
    );
  }

  /** Takes the line away. */
  end(): void {
    if (this.#enabled) this.#terminal.progress();
  }
}

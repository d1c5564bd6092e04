/**
 * Bounds how often one message is logged.
 *
 * Trouble repeats itself: a client that comes back a thousand times a second, a disk that fails each write. The first
 * {@linkcode LOG_REPEATS_MAX} lines of a message within {@linkcode LOG_REPEATS_INTERVAL_MS} are told; the others are
 * counted, and when that time is over one line says how many there were. Other messages are told meanwhile.
 *
 * A message is its level and its sentence, whatever its fields. The level debug has no bound: who asks for it wants all.
 *
 * Rejected: a bound on all lines together (one loud message would silence the one that explains it).
 *
 * @module
 */
import { LOG_MESSAGES_MAX, LOG_REPEATS_INTERVAL_MS, LOG_REPEATS_MAX } from "../protocol/limits.ts";
import type { Log, LogFields } from "../protocol/log.ts";
import type { Clock } from "../storage/clock.ts";

/** What this needs of time. */
export type LogClock = Pick<Clock, "after">;

type Level = keyof Log;

interface Told {
  readonly level: Level;
  readonly message: string;
  lines: number;
  /** Ends its interval. */
  cancel: () => void;
}

/** A log that repeats itself only so often. */
export interface BoundedLog {
  readonly log: Log;
  /** Tells what was left out so far. */
  close(): void;
}

/** Puts the bound before `log`. */
export function boundLog(log: Log, clock: LogClock): BoundedLog {
  const told = new Map<string, Told>();
  const end = (key: string): void => {
    const { level, message, lines } = told.get(key)!;
    told.delete(key);
    if (lines <= LOG_REPEATS_MAX) return;
    const suppressed = lines - LOG_REPEATS_MAX;
    log[level]("lines of one message were left out, it came too often", { of: message, suppressed });
  };
  const tell = (level: Level) => (message: string, fields?: LogFields): void => {
    // Sentences with a name in them could be as many as there are names: then they share one place.
    const own = `${level} ${message}`;
    const isOwn = told.has(own) || told.size < LOG_MESSAGES_MAX;
    const key = isOwn ? own : level;
    let known = told.get(key);
    if (!known) {
      known = { level, message: isOwn ? message : "(various)", lines: 0, cancel: () => {} };
      told.set(key, known);
      known.cancel = clock.after(LOG_REPEATS_INTERVAL_MS, () => end(key));
    }
    if (++known.lines <= LOG_REPEATS_MAX) log[level](message, fields);
  };
  return {
    log: { debug: log.debug, info: tell("info"), warn: tell("warn"), error: tell("error") },
    close() {
      for (const [key, { cancel }] of [...told]) {
        cancel();
        end(key);
      }
    },
  };
}

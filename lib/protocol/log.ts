/**
 * How the program speaks to its operator: a level, one sentence, and fields.
 *
 * Only the shape: who builds a node decides where it goes. Nothing is logged per request.
 *
 * @module
 */

/** Values that a log line carries beside its sentence. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The sink that storage, replication and HTTP report to. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const nothing = (): void => {};

/** Drops everything: for tests that do not look at the log. */
export const SILENT_LOG: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

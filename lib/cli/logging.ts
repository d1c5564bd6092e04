/**
 * The log of a node: lines of text or JSON on stderr, by LogTape. The only place that knows which library logs.
 *
 * One message is told only so often (`log_rate.ts`), and writing a line never makes the node wait (`log_writer.ts`).
 *
 * ```text
 * 2026-11-22T10:00:00.000Z WRN sentence name="value"
 * {"time":"2026-11-22T10:00:00.000Z","level":"warn","message":"sentence","name":"value"}
 * ```
 *
 * @module
 */
import {
  configureSync,
  getLogger,
  getTextFormatter,
  type LogRecord,
  resetSync,
  type TextFormatter,
} from "@logtape/logtape";
import type { Log, LogFields } from "../protocol/log.ts";
import type { LogFormat, LogLevel } from "../settings.ts";
import { boundLog, type LogClock } from "./log_rate.ts";
import { LogWriter, type WriteBytes } from "./log_writer.ts";

/** How to log. */
export interface LoggingOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes some of the bytes; may take its time, and may fail. */
  readonly write: WriteBytes;
  /** @default the machine's */
  readonly clock?: LogClock;
}

/** A log, and how to end it. */
export interface Logging {
  readonly log: Log;
  /** Resolves when all lines are written, or nobody takes them. */
  close(): Promise<void>;
}

const LEVELS = { debug: "debug", info: "info", warn: "warning", error: "error" } as const;

const SYSTEM_CLOCK: LogClock = {
  after(delayMs, fn) {
    const id = setTimeout(fn, delayMs);
    Deno.unrefTimer(id);
    return () => clearTimeout(id);
  },
};

/** Sets the library up for this process. */
export function startLogging({ level, format, write, clock = SYSTEM_CLOCK }: LoggingOptions): Logging {
  const line = format === "json" ? jsonLine : textLine();
  const writer = new LogWriter(write, (lines) =>
    line({
      category: ["chukcha"],
      level: "warning",
      message: ["log lines were dropped: they could not be written in time"],
      rawMessage: "",
      timestamp: Date.now(),
      properties: { lines },
    }));
  configureSync({
    reset: true,
    sinks: { stderr: (record: LogRecord) => writer.add(line(record)) },
    loggers: [
      { category: "chukcha", lowestLevel: LEVELS[level], sinks: ["stderr"] },
      // It tells of itself only what went wrong with it.
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  const logger = getLogger("chukcha");
  // A sentence is not a template: braces in it are text.
  const literal = (message: string) => message.replaceAll(/[{}]/g, "$&$&");
  const bounded = boundLog({
    debug: (message, fields) => logger.debug(literal(message), present(fields)),
    info: (message, fields) => logger.info(literal(message), present(fields)),
    warn: (message, fields) => logger.warn(literal(message), present(fields)),
    error: (message, fields) => logger.error(literal(message), present(fields)),
  }, clock);
  return {
    log: bounded.log,
    async close() {
      bounded.close();
      resetSync();
      await writer.close();
    },
  };
}

function present(fields: LogFields = {}): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]),
  );
}

/** `2026-11-22T10:00:00.000Z INF sentence name=value` */
function textLine(): TextFormatter {
  return getTextFormatter({
    timestamp: "rfc3339",
    level: "ABBR",
    format: ({ timestamp, level, message, record }) => {
      const fields = Object.entries(record.properties).map(([name, value]) =>
        ` ${name}=${JSON.stringify(value)}`
      );
      return `${timestamp} ${level} ${message}${fields.join("")}`;
    },
  });
}

/** Levels as `--log-level` has them; the library knows more. */
const LEVEL_NAMES: Readonly<Record<LogRecord["level"], LogLevel>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  fatal: "error",
};

/** The three names that every line has, and then its own: one of the same name gets a `_` behind it. */
function jsonLine({ timestamp, level, message, properties }: LogRecord): string {
  const line: Record<string, unknown> = {
    time: new Date(timestamp).toISOString(),
    level: LEVEL_NAMES[level],
    message: message.map(String).join(""),
  };
  for (const [name, value] of Object.entries(properties)) line[name in line ? `${name}_` : name] = value;
  return `${JSON.stringify(line)}\n`;
}

/**
 * The log of a node: lines of text or JSON on stderr, by LogTape. The only place that knows which library logs.
 *
 * @module
 */
import {
  configureSync,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogRecord,
  resetSync,
  type TextFormatter,
} from "@logtape/logtape";
import type { Log, LogFields } from "../protocol/log.ts";
import type { LogFormat, LogLevel } from "../settings.ts";

/** How to log. */
export interface LoggingOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes each line, with its `\n`. */
  readonly write: (line: string) => void;
}

/** A log, and how to end it. */
export interface Logging {
  readonly log: Log;
  close(): void;
}

const LEVELS = { debug: "debug", info: "info", warn: "warning", error: "error" } as const;

/** Sets the library up for this process. */
export function startLogging({ level, format, write }: LoggingOptions): Logging {
  const line = format === "json" ? jsonLine() : textLine();
  configureSync({
    reset: true,
    sinks: { stderr: (record: LogRecord) => write(line(record)) },
    loggers: [
      { category: "chukcha", lowestLevel: LEVELS[level], sinks: ["stderr"] },
      // It tells of itself only what went wrong with it.
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  const logger = getLogger("chukcha");
  // A sentence is not a template: braces in it are text.
  const literal = (message: string) => message.replaceAll(/[{}]/g, "$&$&");
  return {
    log: {
      debug: (message, fields) => logger.debug(literal(message), present(fields)),
      info: (message, fields) => logger.info(literal(message), present(fields)),
      warn: (message, fields) => logger.warn(literal(message), present(fields)),
      error: (message, fields) => logger.error(literal(message), present(fields)),
    },
    close: () => resetSync(),
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

/** `{"@timestamp":…,"level":…,"message":…,"name":value}` */
function jsonLine(): TextFormatter {
  return getJsonLinesFormatter({ properties: "flatten", categorySeparator: "." });
}

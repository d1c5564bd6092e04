/**
 * Errors as people are told them: one line that says what was wrong and what to do.
 *
 * @module
 */
import { ChukchaError, TransportError } from "../client/mod.ts";
import { Failure, UsageError } from "./command.ts";

/** The line for an error; a defect of the program keeps its stack, which is for whoever reports it. */
export function explain(error: unknown): string {
  if (error instanceof TransportError) return `${error.message}${adviceFor(error)}`;
  if (error instanceof ChukchaError && error.status === 401) {
    return `${error.message}; this program takes it from --token-file or CHUKCHA_TOKEN`;
  }
  if (error instanceof ChukchaError || error instanceof Failure || error instanceof UsageError) {
    return error.message;
  }
  if (isSystemError(error)) return error.message;
  return `this is a defect of chukcha: ${
    error instanceof Error ? error.stack ?? error.message : String(error)
  }`;
}

function adviceFor({ neverConnected, untrusted, message }: TransportError): string {
  if (untrusted) return "; name the file of that authority with --ca or CHUKCHA_CA";
  if (!neverConnected) return "";
  return message.endsWith("connection refused")
    ? "; is a node running? start one with `chukcha serve`, or name another with --server"
    : "; check the address given by --server or CHUKCHA_SERVER";
}

/** Errors of the operating system say themselves what is wrong. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error &&
    (Object.values(Deno.errors).some((kind) => error instanceof kind) ||
      typeof (error as { code?: unknown }).code === "string");
}

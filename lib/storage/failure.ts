/**
 * Turns what a disk says into what a user is told.
 *
 * @module
 */
import { ChukchaError, type ErrorCode, type Written } from "../protocol/errors.ts";
import { DiskError } from "./disk.ts";

/** The error that answers a request whose disk operation failed. Passes on what is one already. */
export function toChukchaError(error: unknown, action: string, written: Written = "no"): ChukchaError {
  if (error instanceof ChukchaError) return error;
  if (!(error instanceof DiskError)) throw error;
  const [code, hint] = ANSWERS[error.kind];
  return new ChukchaError(code, `${action}: ${hint}`, { written, cause: error });
}

const ANSWERS: Readonly<Record<DiskError["kind"], readonly [ErrorCode, string]>> = {
  full: ["disk_full", "no space (or inodes) left on the disk; free some, writes resume by themselves"],
  too_many_open: ["overloaded", "out of file descriptors; raise the limit (ulimit -n)"],
  read_only: ["disk_failed", "the data directory takes no writes; check mount and permissions"],
  not_found: ["disk_failed", "a file is missing from the data directory; the log names it"],
  exists: ["disk_failed", "a file is in the way in the data directory; the log names it"],
  failed: ["disk_failed", "the disk failed; the log has the system's error"],
};

/**
 * Turns what a disk says into what a user is told.
 *
 * @module
 */
import { ChukchaError, type ErrorCode, quote, type Written } from "../protocol/errors.ts";
import { DiskError } from "./disk.ts";

/** The error that answers a request whose disk operation failed. Passes on what is one already. */
export function toChukchaError(error: unknown, action: string, written: Written = "no"): ChukchaError {
  if (error instanceof ChukchaError) return error;
  if (!(error instanceof DiskError)) throw error;
  const [code, hint] = ANSWERS[error.kind];
  return new ChukchaError(code, `${action}: ${hint}`, { written, cause: error });
}

/** Why a data directory cannot be used, for whoever starts a node on it: the system's own words, and what to do. */
export function explainStart(error: DiskError, dataDir: string): string {
  return `the data directory ${quote(dataDir)} cannot be used: ${error.message}; ${START_ADVICE[error.kind]}`;
}

const START_ADVICE: Readonly<Record<DiskError["kind"], string>> = {
  full: "make room on its disk (or remove files, if it is inodes that are used up), then start again",
  too_many_open: "raise the limit of open files (ulimit -n), then start again",
  read_only: "this user must be able to write there: check owner and mount, or choose another --data-dir",
  not_found: "choose another --data-dir",
  exists: "move away what is there, or choose another --data-dir",
  failed: "check the disk, or choose another --data-dir",
};

const ANSWERS: Readonly<Record<DiskError["kind"], readonly [ErrorCode, string]>> = {
  full: ["disk_full", "no space (or inodes) left on the disk; free some, writes resume by themselves"],
  too_many_open: ["overloaded", "out of file descriptors; raise the limit (ulimit -n)"],
  read_only: ["disk_failed", "the data directory takes no writes; check mount and permissions"],
  not_found: ["disk_failed", "a file is missing from the data directory; the log names it"],
  exists: ["disk_failed", "a file is in the way in the data directory; the log names it"],
  failed: ["disk_failed", "the disk failed; the log has the system's error"],
};

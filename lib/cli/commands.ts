/**
 * All commands, in the order in which the help lists them.
 *
 * @module
 */
import { ack } from "./ack.ts";
import { categories } from "./categories.ts";
import { chunks } from "./chunks.ts";
import type { Command } from "./command.ts";
import { completionsOf } from "./completions.ts";
import { consumers } from "./consumers.ts";
import { read } from "./read.ts";
import { seek } from "./seek.ts";
import { serve } from "./serve.ts";
import { status } from "./status.ts";
import { tail } from "./tail.ts";
import { token } from "./token.ts";
import { verify } from "./verify.ts";
import { version } from "./version.ts";
import { write } from "./write.ts";

/** The one place to add another. */
export const COMMANDS: readonly Command[] = [
  serve,
  write,
  read,
  tail,
  ack,
  categories,
  chunks,
  consumers,
  seek,
  status,
  verify,
  token,
  completionsOf(() => COMMANDS),
  version,
];

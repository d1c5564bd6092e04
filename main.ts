/**
 * The program: `chukcha COMMAND`.
 *
 * @module
 */
import { run } from "./lib/cli/run.ts";

// Ends the process even while a read of stdin is pending, as it is behind `tail -f log | chukcha write x`.
if (import.meta.main) Deno.exit(await run(Deno.args));

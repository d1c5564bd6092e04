/**
 * A node whose log nobody reads: the pipe is full, or closed. It serves, and it stops when it is told to.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { programArgs, temporaryDirectory, until } from "../support/node.ts";
import { os, testWith, tool } from "../support/skip.ts";

/** What is done to stderr before the program takes the place of the shell. */
const WAYS: Readonly<Record<string, string>> = {
  "a pipe that is full": 'mkfifo "$0/log"; exec 2<>"$0/log"; head -c 65536 /dev/zero >&2; shift 0',
  "closed": "exec 2>&-",
  "a pipe whose reader has gone": 'mkfifo "$0/log"; exec 3<>"$0/log"; exec 2>"$0/log"; exec 3>&-',
  "a disk that is full": "exec 2>/dev/full",
};

for (const [name, redirect] of Object.entries(WAYS)) {
  testWith(`serve goes on with stderr being ${name}`, [os("linux"), tool("bash")], async () => {
    await using directory = await temporaryDirectory();
    const port = freePort();
    const args = programArgs(
      "serve",
      "--data-dir",
      `${directory.path}/data`,
      "--listen",
      `127.0.0.1:${port}`,
    );
    const process = new Deno.Command("bash", {
      args: ["-c", `${redirect}; exec "$@"`, directory.path, Deno.execPath(), ...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const status = async (): Promise<number> => {
        try {
          const body = "one\n";
          const response = await fetch(`http://127.0.0.1:${port}/write?category=web`, {
            method: "POST",
            body,
          });
          await response.body?.cancel();
          return response.status;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return 0;
        }
      };
      await until("a write", status, (code) => code === 200, 20_000);
    } finally {
      process.kill("SIGTERM");
    }
    assertEquals((await process.status).code, 0);
  });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

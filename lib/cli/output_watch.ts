/**
 * Notices that the reader of stdout has gone, without writing to it.
 *
 * A write would tell, but a tail may have nothing to write for hours, and `chukcha tail x | head -1` should end with
 * its `head`. The runtime has no way to ask; `poll(2)` has. Where that cannot be called, the next write tells, as before.
 *
 * @module
 */
import { OutputClosed } from "./command.ts";

const POLL_MS = 200;
const STDOUT = 1;
/** Of `struct pollfd { int fd; short events; short revents; }`: the errors come unasked. */
const POLLFD_BYTES = 8;
const POLLERR_OR_POLLHUP = 0x08 | 0x10;

const LIBRARY: Partial<Record<typeof Deno.build.os, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.B.dylib",
};

/** Watches until it is stopped, and aborts with {@linkcode OutputClosed} as the reason once nobody reads any more. */
export function watchOutput(): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const poll = Deno.stdout.isTerminal() ? undefined : openPoll();
  if (!poll) return { signal: controller.signal, stop() {} };
  const timer = setInterval(() => {
    if (poll.isGone()) controller.abort(new OutputClosed("the reader of the output has gone"));
  }, POLL_MS);
  return {
    signal: controller.signal,
    stop() {
      clearInterval(timer);
      poll.close();
    },
  };
}

function openPoll(): { isGone(): boolean; close(): void } | undefined {
  const name = LIBRARY[Deno.build.os];
  if (name === undefined) return undefined;
  try {
    const library = Deno.dlopen(
      name,
      {
        poll: { parameters: ["buffer", Deno.build.os === "linux" ? "u64" : "u32", "i32"], result: "i32" },
      } as const,
    );
    const pollfd = new DataView(new ArrayBuffer(POLLFD_BYTES));
    return {
      isGone() {
        pollfd.setInt32(0, STDOUT, true);
        pollfd.setInt32(4, 0, true);
        const ready = library.symbols.poll(pollfd.buffer, Deno.build.os === "linux" ? 1n : 1, 0);
        return ready > 0 && (pollfd.getInt16(6, true) & POLLERR_OR_POLLHUP) !== 0;
      },
      close: () => library.close(),
    };
  } catch {
    // Another C library, or no permission to call it: see above.
    return undefined;
  }
}

/**
 * The progress line: its words, and that it is drawn for people alone.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Progress, progressLine } from "../../lib/cli/progress.ts";
import { type Sink, Terminal } from "../../lib/cli/terminal.ts";

class Written implements Sink {
  text = "";
  constructor(readonly terminal: boolean) {}
  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(this.writeSync(bytes));
  }
  writeSync(bytes: Uint8Array): number {
    this.text += new TextDecoder().decode(bytes);
    return bytes.length;
  }
  isTerminal(): boolean {
    return this.terminal;
  }
}

Deno.test("progressLine says how far it is, how fast, and for how long, as far as that is known", () => {
  const bytes = 1 << 20;
  assertEquals(progressLine({ bytes, elapsedMs: 500 }), "1 MiB  2 MiB/s");
  assertEquals(
    progressLine({ bytes, totalBytes: 4 * bytes, elapsedMs: 500 }),
    "1 MiB of 4 MiB  25%  2 MiB/s  2s left",
  );
  assertEquals(progressLine({ bytes: 0, totalBytes: 0, elapsedMs: 0 }), "0 B of 0 B  100%  0 B/s");
});

Deno.test("Progress draws now and then, makes way for notes, and takes its line away", () => {
  const stderr = new Written(true);
  const terminal = new Terminal(new Written(false), stderr);
  let nowMs = 0;
  const progress = new Progress(terminal, { enabled: true, now: () => nowMs });
  progress.add(10);
  assertEquals(stderr.text, "");
  nowMs = 1000;
  progress.add(10);
  progress.add(10);
  assertEquals(stderr.text, "\r\x1b[K20 B  20 B/s");
  terminal.note("note");
  progress.end();
  assertEquals(stderr.text, "\r\x1b[K20 B  20 B/s\r\x1b[Knote\n");
});

Deno.test("Progress only counts where nobody watches", () => {
  const stderr = new Written(false);
  const progress = new Progress(new Terminal(new Written(false), stderr), { enabled: false });
  progress.add(10);
  progress.end();
  assertEquals([progress.bytes, stderr.text], [10, ""]);
});

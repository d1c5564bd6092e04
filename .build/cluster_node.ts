/**
 * One node of `deno task cluster`: a process of its own, whose lines are handed on and which is ready, ended or told
 * to end.
 *
 * The process is detached: Ctrl-C on a terminal goes to everything that was started from it, and a node that is told
 * to end twice does not end in order. Windows has no other way to tell it, so there it is not.
 *
 * @module
 */
import { TextLineStream } from "@std/streams";

/** Between two questions whether a node is ready. */
const READY_PAUSE_MS = 50;
const MAIN = new URL("../main.ts", import.meta.url);
const WINDOWS = Deno.build.os === "windows";

/** What a node is started with. */
export interface ClusterNodeOptions {
  readonly instance: string;
  /** Without a slash at its end. */
  readonly url: string;
  /** Of `chukcha serve`. */
  readonly args: readonly string[];
  /** Told each line that it prints, on either output. */
  readonly onLine: (line: string) => void;
}

/** A node that was started. */
export class ClusterNode {
  readonly instance: string;
  readonly url: string;
  /** Resolves with the exit code once it has ended and its last line was told. */
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  #running = true;

  constructor({ instance, url, args, onLine }: ClusterNodeOptions) {
    this.instance = instance;
    this.url = url;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", MAIN.href, "serve", ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: !WINDOWS,
    }).spawn();
    const outputs = [this.#child.stdout, this.#child.stderr].map((stream) => tell(stream, onLine));
    this.ended = this.#child.status.then(async ({ code }) => {
      this.#running = false;
      await Promise.all(outputs);
      return code;
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** Resolves with whether it became ready; `false` if it ended before. */
  async ready(): Promise<boolean> {
    const gone = new AbortController();
    void this.ended.then(() => gone.abort());
    while (this.#running) {
      if (await this.#answersReady(gone.signal)) return true;
      await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, READY_PAUSE_MS))]);
    }
    return false;
  }

  /** Another program may sit on its port: one that never answers, or that answers to everything. */
  async #answersReady(gone: AbortSignal): Promise<boolean> {
    try {
      const ready = await fetch(`${this.url}/readyz`, { signal: gone });
      const status = await fetch(`${this.url}/status`, {
        signal: gone,
        headers: { accept: "application/json" },
      });
      const [, answer] = await Promise.all([ready.body?.cancel(), status.json()]);
      // A node that asks for tokens (`-- --tokens-file …`) tells strangers no more than that.
      const own = status.status === 401 || answer.instance === this.instance;
      return ready.ok && own && this.#running;
    } catch {
      return false;
    }
  }

  /** Tells it to finish what is under way and end. On Windows, Ctrl-C has told it already. */
  stop(): void {
    if (!WINDOWS) this.#signal("SIGTERM");
  }

  /** Ends it at once. */
  kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: Deno.Signal): void {
    try {
      if (this.#running) this.#child.kill(signal);
    } catch (error) {
      // It has ended, and its status is on the way.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function tell(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onLine: (line: string) => void,
): Promise<void> {
  const lines = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) onLine(line);
}

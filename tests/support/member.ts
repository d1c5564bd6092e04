/**
 * One node of a cluster under test: a process that is killed, stopped, paused and started again on the same address,
 * with the same data directory.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { ErrorBody } from "../../lib/protocol/errors.ts";
import { eventually } from "./eventually.ts";
import { type Listening, startListening } from "./listening.ts";
import { NodeUnderTest, programArgs, type Reach } from "./node.ts";

const ROOT = new URL("../../", import.meta.url);
const PORT_MIN = 10_240;
const PORT_MAX = 32_000;
/** A request that is not answered within this time is given up: a node that is paused never answers. */
const REQUEST_MS_MAX = 90_000;
const PORT_BUSY = /another program uses this address/;

/** What a member is started with. */
export interface MemberOptions {
  readonly instance: string;
  readonly dataDir: string;
  /** Where it listens: the peers know it by this. */
  readonly hostname?: string;
  readonly port: number;
  readonly peers: string;
  readonly flags?: readonly string[];
  /** What tests show to it; with connections that trust it, it serves TLS. */
  readonly reach?: Reach;
  /** Put before the program and its arguments: what runs it elsewhere. */
  readonly prefix?: readonly string[];
}

/** An answer with what it says, if it is an error. */
export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly error: ErrorBody["error"] | undefined;
}

/** A node that may run or not. */
export class Member extends NodeUnderTest {
  readonly instance: string;
  #options: MemberOptions;
  #process: Listening | undefined;
  #paused = false;
  /** What its former processes have printed. */
  #before = "";

  constructor(options: MemberOptions) {
    super(urlOf(options), options.dataDir, options.reach);
    this.instance = options.instance;
    this.#options = options;
  }

  /** Whether there is a process, paused or not. */
  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Whether it answers. */
  get live(): boolean {
    return this.running && !this.#paused;
  }

  get pid(): number {
    if (!this.#process) throw new Error(`${this.instance} does not run`);
    return this.#process.pid;
  }

  /** What it has printed so far, in all its lives. */
  get output(): string {
    return this.#before + (this.#process?.output() ?? "");
  }

  /** For its next start. */
  reconfigure(more: Partial<Pick<MemberOptions, "peers" | "flags" | "prefix">>): void {
    this.#options = { ...this.#options, ...more };
  }

  /** Starts the process; resolves as soon as it listens. */
  async launch(): Promise<void> {
    assertEquals(this.running, false, `${this.instance} runs already`);
    const { instance, dataDir, peers, flags = [], prefix = [], hostname = "127.0.0.1", port } = this.#options;
    const own = ["--instance", instance, "--data-dir", dataDir, "--listen", `${hostname}:${port}`];
    const rest = peers === "" ? flags : ["--peers", peers, ...flags];
    const args = programArgs("serve", ...own, "--min-free-disk", "0", ...rest);
    const [program = "", ...before] = [...prefix, Deno.execPath()];
    const address = new RegExp(`${instance} serves ${this.url.replaceAll(".", "\\.")}`);
    this.#process = await startListening(program, { args: [...before, ...args], cwd: ROOT, address });
    this.#paused = false;
  }

  /** Starts it on the address that it had, and waits until it is ready for requests. */
  async start(): Promise<void> {
    await eventually(`${this.instance} starts`, () =>
      this.launch().then(() => "started", (error: Error) => {
        // A connection of another test may sit on the port for a moment.
        if (!PORT_BUSY.test(error.message)) throw error;
        return error.message;
      }), (seen) => seen === "started");
    await this.ready();
  }

  /** Resolves once it is ready for requests. */
  async ready(waitMs?: number): Promise<void> {
    const look = async () => {
      const { status, text } = await this.ask("/readyz");
      return status === 200 ? "ready" : text;
    };
    await eventually(`${this.instance} is ready`, look, (seen) => seen === "ready", waitMs).catch((error) => {
      throw new Error(`${error.message}\n${this.output.slice(-3000)}`);
    });
  }

  /** SIGKILL; resolves when it has ended. */
  async kill(): Promise<void> {
    if (!this.#process) return;
    try {
      Deno.kill(this.pid, "SIGKILL");
    } catch (error) {
      // It has ended by itself: whoever needs it alive is told by what it asks of it.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.#end();
  }

  /** SIGTERM; the exit code must be 0. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    const code = await this.#end();
    assertEquals(code, 0, `exit code of ${this.instance}\n${this.output.slice(-3000)}`);
  }

  /** Waits for its end, without sending it anything; returns the exit code. */
  ended(): Promise<number> {
    return this.#end();
  }

  /** As a machine that hangs: nothing of it is lost, nothing is answered. */
  pause(): void {
    this.signal("SIGSTOP");
    this.#paused = true;
  }

  /** The reverse of {@linkcode pause}. */
  resume(): void {
    this.signal("SIGCONT");
    this.#paused = false;
  }

  /** Sends one signal to this process, and to nothing else. */
  signal(signal: Deno.Signal): void {
    try {
      Deno.kill(this.pid, signal);
    } catch (cause) {
      throw new Error(`${this.instance} has ended by itself:\n${this.output.slice(-4000)}`, { cause });
    }
  }

  /** Removes its data directory: the disk is gone. It must not run. */
  async wipe(): Promise<void> {
    assertEquals(this.running, false, `${this.instance} still runs`);
    await Deno.remove(this.dataDir, { recursive: true });
  }

  /** A request whose answer is taken as it is. */
  async ask(pathAndQuery: string, init: RequestInit = {}): Promise<Answered> {
    const signal = init.signal ?? AbortSignal.timeout(REQUEST_MS_MAX);
    const response = await this.fetch(pathAndQuery, { ...init, signal });
    const text = await response.text();
    let error: ErrorBody["error"] | undefined;
    if (response.status !== 200) {
      try {
        error = (JSON.parse(text) as Partial<ErrorBody>).error;
      } catch {
        error = undefined;
      }
    }
    return { status: response.status, text, error };
  }

  /** A write whose answer is taken as it is; `params` as in `min_sync_replicas=1&timeout=100`. */
  askWrite(category: string, body: string, params = ""): Promise<Answered> {
    return this.ask(`/write?category=${category}&${params}`, { method: "POST", body });
  }

  /** An acknowledgement whose answer is taken as it is. */
  ack(category: string, chunk: string, size: number): Promise<Answered> {
    return this.ask(`/ack?category=${category}&chunk=${chunk}&size=${size}`, { method: "POST" });
  }

  async #end(): Promise<number> {
    const process = this.#process;
    if (!process) throw new Error(`${this.instance} does not run`);
    const code = await process.ended;
    if (this.#process === process) {
      this.#before += process.output();
      this.#process = undefined;
      this.#paused = false;
    }
    return code;
  }
}

function urlOf({ hostname = "127.0.0.1", port, reach }: MemberOptions): string {
  return `${reach?.client ? "https" : "http"}://${hostname}:${port}`;
}

/**
 * Ports of this machine on which nobody listens. Out of the range from which the system takes ports for connections, so
 * that a node can still have its own after a restart.
 */
export function freePorts(count: number): number[] {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > 1000) throw new Error(`no ${count} free ports from ${PORT_MIN} to ${PORT_MAX}`);
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      ports.add(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return [...ports];
}

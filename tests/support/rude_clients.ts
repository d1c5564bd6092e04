/**
 * Clients that mean no good, or know no better: many connections at once, that send slowly, read nothing, or do
 * nothing; and what a process that has to bear them looks like from outside.
 *
 * @module
 */
import { startListening } from "./listening.ts";
import { ChildNode, INSTANCE, programArgs } from "./node.ts";

const encoder = new TextEncoder();

/** Starts a node whose process may have so many descriptors. Linux, macOS. */
export async function startLimitedNode(
  dataDir: string,
  descriptors: number,
  ...flags: string[]
): Promise<ChildNode> {
  const own = [
    "--data-dir",
    dataDir,
    "--instance",
    INSTANCE,
    "--min-free-disk",
    "0",
    "--listen",
    "127.0.0.1:0",
  ];
  const program = [Deno.execPath(), ...programArgs("serve", ...own, ...flags)];
  const args = ["-c", 'ulimit -n "$0" && exec "$@"', String(descriptors), ...program];
  return new ChildNode(dataDir, await startListening("sh", { args }));
}

/** What `/proc` says of a process, in MiB: memory now, and the most it ever was. */
export function memoryMib(pid: number): { now: number; peak: number } {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  const mib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)![1]) / 1024;
  return { now: mib("VmRSS"), peak: mib("VmHWM") };
}

/** How many descriptors a process has open. */
export function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** How many of them are connections, or listen. */
export function sockets(pid: number): number {
  const isSocket = ({ name }: Deno.DirEntry): boolean => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`).startsWith("socket:");
    } catch (error) {
      // Closed since it was listed.
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  };
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].filter(isSocket).length;
}

/** Connections that are opened together and closed together. */
export class Crowd implements Disposable {
  readonly connections: Deno.TcpConn[] = [];
  readonly #port: number;

  constructor({ port }: { readonly port: number }) {
    this.#port = port;
  }

  /** Opens so many more, a few at a time, and sends the same on each; returns how many could not be. */
  async open(count: number, text = ""): Promise<number> {
    let left = count;
    let failed = 0;
    const bytes = encoder.encode(text);
    await Promise.all(Array.from({ length: 64 }, async () => {
      while (left-- > 0) {
        try {
          const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
          this.connections.push(connection);
          if (bytes.length > 0) await connection.write(bytes);
        } catch (error) {
          if (!isConnectionFailure(error)) throw error;
          failed++;
        }
      }
    }));
    return failed;
  }

  /** Sends more on each; returns on how many that was possible. */
  async send(bytes: Uint8Array): Promise<number> {
    let sent = 0;
    await Promise.all(this.connections.map(async (connection) => {
      try {
        await connection.write(bytes);
        sent++;
      } catch (error) {
        if (!isConnectionFailure(error)) throw error;
      }
    }));
    return sent;
  }

  /** What came first on each, as text; empty where it was closed without an answer. */
  answers(): Promise<string[]> {
    return Promise.all(this.connections.map(async (connection) => {
      const buffer = new Uint8Array(4096);
      try {
        const count = await connection.read(buffer);
        return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      } catch (error) {
        if (!isConnectionFailure(error)) throw error;
        return "";
      }
    }));
  }

  close(): void {
    this.connections.splice(0).forEach((connection) => connection.close());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Whether a connection failed the way connections do. */
export function isConnectionFailure(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.NotConnected;
}

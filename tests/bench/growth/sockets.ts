/**
 * Many connections of one process: sockets that were asked one thing each and then are left as they are.
 *
 * @module
 */

/** Connections that are made at once. */
const AT_ONCE = 64;

/** Connections to one node. */
export class Sockets implements Disposable {
  readonly #url: URL;
  readonly #open: Deno.Conn[] = [];
  /** Those whose answer is waited for. */
  readonly #waiting = new Map<Deno.Conn, Promise<Deno.Conn>>();

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Makes connections until there are so many; each asks for `path` and has got the head of its answer. */
  async grow(count: number, path: (i: number) => string): Promise<void> {
    while (this.#open.length < count) {
      const from = this.#open.length;
      const part = Math.min(AT_ONCE, count - from);
      this.#open.push(
        ...await Promise.all(Array.from({ length: part }, (_, i) => this.#connect(path(from + i)))),
      );
    }
  }

  /** Resolves once every connection got something since its last answer, which is taken. */
  async takeEach(): Promise<void> {
    await Promise.all(this.#open.map((socket) => socket.read(new Uint8Array(4096))));
  }

  /** Makes so many connections, each of which asks for `path` and has to wait for its answer. */
  async ask(count: number, path: (i: number) => string): Promise<void> {
    for (let from = 0; from < count; from += AT_ONCE) {
      const part = Array.from({ length: Math.min(AT_ONCE, count - from) }, async (_, i) => {
        const socket = await this.#send(path(from + i));
        this.#open.push(socket);
        const answered = socket.read(new Uint8Array(4096)).then(() => socket);
        // Those that are still waiting at the end are closed.
        answered.catch(() => {});
        this.#waiting.set(socket, answered);
      });
      await Promise.all(part);
    }
  }

  /** Resolves once one of those that wait was answered; it waits no more. */
  async takeAny(): Promise<void> {
    this.#waiting.delete(await Promise.race(this.#waiting.values()));
  }

  [Symbol.dispose](): void {
    this.#waiting.clear();
    this.#open.splice(0).forEach((socket) => socket.close());
  }

  async #connect(path: string): Promise<Deno.Conn> {
    const socket = await this.#send(path);
    try {
      const bytes = new Uint8Array(4096);
      const size = await socket.read(bytes) ?? 0;
      const head = new TextDecoder().decode(bytes.subarray(0, size));
      if (!head.startsWith("HTTP/1.1 200")) throw new Error(`${path}: ${head}`);
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  async #send(path: string): Promise<Deno.Conn> {
    const { hostname, port, host } = this.#url;
    const socket = await Deno.connect({ hostname, port: Number(port) });
    await socket.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`));
    return socket;
  }
}

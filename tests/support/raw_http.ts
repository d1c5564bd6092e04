/**
 * HTTP/1.1 by hand, where `fetch` hides what matters: how a connection goes on after an error, what a client that goes
 * away leaves behind, and what exactly came over the wire.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Status line and headers of a response. */
export interface Head {
  readonly status: number;
  readonly headers: Headers;
}

/** A whole response. */
export interface RawResponse extends Head {
  readonly body: Uint8Array;
  readonly text: string;
}

/** One connection to a server on this machine. */
export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  #buffer = new Uint8Array(0);
  #closed = false;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open({ port }: { readonly port: number }): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends text or bytes as they are. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** Sends a request with its body, if any, and returns the response. */
  async request(
    method: string,
    target: string,
    options: { headers?: Record<string, string>; body?: string | Uint8Array } = {},
  ): Promise<RawResponse> {
    const body = typeof options.body === "string" ? encoder.encode(options.body) : options.body;
    const headers: Record<string, string> = { host: "127.0.0.1", ...options.headers };
    if (body) headers["content-length"] ??= String(body.length);
    await this.send(head(method, target, headers));
    if (body) await this.send(body);
    return await this.response(method);
  }

  /** Reads one whole response; interim ones (1xx) count as responses too. */
  async response(method = "GET"): Promise<RawResponse> {
    const { status, headers } = await this.head();
    let body: Uint8Array = new Uint8Array(0);
    if (method === "HEAD" || status < 200 || status === 204) body = new Uint8Array(0);
    else if (headers.get("transfer-encoding") === "chunked") body = await this.#chunked();
    else if (headers.has("content-length")) body = await this.take(Number(headers.get("content-length")));
    else body = await this.rest();
    return { status, headers, body, text: decoder.decode(body) };
  }

  /** Reads a status line and headers. */
  async head(): Promise<Head> {
    const [statusLine, ...lines] = (await this.#until("\r\n\r\n")).split("\r\n");
    const headers = new Headers();
    for (const line of lines) {
      if (line === "") continue;
      const colon = line.indexOf(":");
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    return { status: Number(statusLine!.split(" ")[1]), headers };
  }

  /** Reads one chunk of a chunked body; `undefined` for the one that ends it. */
  async chunk(): Promise<Uint8Array | undefined> {
    const size = parseInt(await this.#until("\r\n"), 16);
    const bytes = await this.take(size);
    await this.#until("\r\n");
    return size === 0 ? undefined : bytes;
  }

  /** Reads exactly `count` bytes. */
  async take(count: number): Promise<Uint8Array> {
    while (this.#buffer.length < count) await this.#more();
    const bytes = this.#buffer.slice(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return bytes;
  }

  /** Reads until the server closes. */
  async rest(): Promise<Uint8Array> {
    while (await this.#fill());
    return await this.take(this.#buffer.length);
  }

  /** Says that nothing more will be sent. */
  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    if (!this.#closed) this.#connection.close();
    this.#closed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #chunked(): Promise<Uint8Array> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let part = await this.chunk(); part; part = await this.chunk()) parts.push(new Uint8Array(part));
    return await new Blob(parts).bytes();
  }

  async #until(mark: string): Promise<string> {
    for (;;) {
      const text = Array.from(this.#buffer.subarray(0, 65_536), (byte) => String.fromCharCode(byte)).join("");
      const found = text.indexOf(mark);
      if (found >= 0) {
        this.#buffer = this.#buffer.subarray(found + mark.length);
        return text.slice(0, found + mark.length);
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    if (!await this.#fill()) throw new Error(`the server closed behind ${JSON.stringify(this.#shown())}`);
  }

  async #fill(): Promise<boolean> {
    const bytes = new Uint8Array(65_536);
    const count = await this.#connection.read(bytes);
    if (count === null) return false;
    const joined = new Uint8Array(this.#buffer.length + count);
    joined.set(this.#buffer);
    joined.set(bytes.subarray(0, count), this.#buffer.length);
    this.#buffer = joined;
    return true;
  }

  #shown(): string {
    return decoder.decode(this.#buffer.subarray(0, 200));
  }
}

/** A request's head. */
export function head(method: string, target: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

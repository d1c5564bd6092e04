/**
 * Something that a peer's client can ask: the real routes over answers of the test's own, or bytes of any kind.
 *
 * @module
 */
import { createApp } from "../../lib/http/app.ts";
import { ArrivingBodies } from "../../lib/http/arriving.ts";
import { BodyBudget } from "../../lib/http/body_budget.ts";
import { OpenStreams } from "../../lib/http/open_streams.ts";
import { Traffic } from "../../lib/http/traffic.ts";
import { WaitingPolls } from "../../lib/http/waiting_polls.ts";
import type { Service } from "../../lib/http/service.ts";
import { SILENT_LOG } from "../../lib/protocol/log.ts";
import { MIB } from "../../lib/protocol/limits.ts";
import type { Answerer } from "../../lib/replication/peer.ts";
import { SystemClock } from "../../lib/storage/clock.ts";

/** A server on this machine. */
export interface PeerServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

const unasked = (): Promise<never> => Promise.reject(new Error("the test did not expect this call"));

/** Serves the routes of a node whose replication answers like this; `undefined` for a node that is alone. */
export function servePeer(answers: Partial<Answerer> | undefined, port = 0): PeerServer {
  const replication = answers && { changes: unasked, fetch: unasked, knows: unasked, ...answers };
  // The routes between nodes need no more of a node than this.
  const clock = new SystemClock();
  const arriving = new ArrivingBodies(new BodyBudget(64 * MIB), clock);
  const [streams, polls, traffic] = [new OpenStreams(clock, 100), new WaitingPolls(), new Traffic()];
  const service = { replication, clock, log: SILENT_LOG, arriving, streams, polls, traffic };
  const server = serving(createApp(service as unknown as Service).fetch, port);
  const dispose = async (): Promise<void> => {
    await server[Symbol.asyncDispose]();
    await arriving.none();
    streams.close();
  };
  return { ...server, [Symbol.asyncDispose]: dispose };
}

/** Serves whatever `answer` makes of a request. */
export function serving(answer: (request: Request) => Response | Promise<Response>, port = 0): PeerServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, answer);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Takes connections, reads one request of each, and gives it to `answer`; then the connection ends. */
export function servingBytes(answer: (connection: Deno.TcpConn) => Promise<void> | void): PeerServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const open = new Set<Promise<void>>();
  const take = async (connection: Deno.TcpConn): Promise<void> => {
    try {
      const decoder = new TextDecoder("latin1");
      const buffer = new Uint8Array(65_536);
      let text = "";
      const isWhole = (): boolean => {
        const length = /content-length: (\d+)/i.exec(text)?.[1];
        return text.length >= text.indexOf("\r\n\r\n") + 4 + Number(length ?? NaN);
      };
      while (!isWhole()) {
        const count = await connection.read(buffer);
        if (count === null) return;
        text += decoder.decode(buffer.subarray(0, count));
      }
      await answer(connection);
    } catch (error) {
      // The client hangs up on most of what comes here.
      if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)) {
        throw error;
      }
    } finally {
      connection.close();
    }
  };
  const accepting = (async () => {
    for await (const connection of listener) {
      const taken = take(connection).finally(() => open.delete(taken));
      open.add(taken);
    }
  })();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(open);
    },
  };
}

/** Sends all of `data`. */
export async function send(connection: Deno.TcpConn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Resolves when the other side has hung up. */
export async function hungUp(connection: Deno.TcpConn): Promise<void> {
  try {
    while (await connection.read(new Uint8Array(1024)) !== null);
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
}

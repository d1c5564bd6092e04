/**
 * A consumer's calls through a real socket, as plain values.
 *
 * @module
 */
import { INSTANCE, type NodeUnderTest } from "../support/node.ts";

/** What `/consume` answered. */
export interface Taken {
  readonly status: number;
  readonly text: string;
  readonly chunk: string;
  readonly offset: number;
  readonly next: number;
  readonly epoch: number;
  readonly deliveries: number;
}

/** The first chunks of the node under test. */
export const chunkOf = (number: number): string => `${INSTANCE}-chunk${String(number).padStart(9, "0")}`;

/** One consumer of one category at one node. */
export class ConsumerCalls {
  constructor(
    readonly node: NodeUnderTest,
    readonly consumer: string,
    readonly category = "c",
  ) {}

  async consume(rest = "", init: RequestInit = {}): Promise<Taken> {
    const response = await this.#fetch("consume", rest, init);
    const number = (name: string): number => Number(response.headers.get(`chukcha-${name}`) ?? -1);
    return {
      status: response.status,
      text: await response.text(),
      chunk: response.headers.get("chukcha-chunk") ?? "",
      offset: number("offset"),
      next: number("next-offset"),
      epoch: number("epoch"),
      deliveries: number("deliveries"),
    };
  }

  /** Its text, or its status where it is not a 200. */
  async take(rest = ""): Promise<string | number> {
    const { status, text } = await this.consume(rest);
    return status === 200 ? text : status;
  }

  /** Everything, each part acknowledged before the next is asked for. */
  async drain(rest = ""): Promise<string> {
    let all = "";
    for (;;) {
      const taken = await this.consume(rest);
      if (taken.status === 204) return all;
      if (taken.status !== 200) throw new Error(`${taken.status} ${taken.text}`);
      all += taken.text;
      const [status, code] = await this.ack(taken);
      if (status !== 200) throw new Error(`ack: ${status} ${code}`);
    }
  }

  /** Status, and the error's code. */
  ack(
    { chunk, next, offset, epoch }: Partial<Taken> & { readonly chunk: string; readonly next: number },
    method = "POST",
  ): Promise<[status: number, code: string]> {
    const rest = [["offset", offset], ["epoch", epoch]].flatMap(([name, value]) =>
      value === undefined ? [] : [`&${name}=${value}`]
    );
    return this.post("ack", `&chunk=${chunk}&size=${next}${rest.join("")}`, method);
  }

  /** @param deliveries which time of being handed out is meant */
  lease(
    { chunk, offset, next }: Taken,
    leaseMs: number,
    deliveries?: number,
  ): Promise<[status: number, code: string]> {
    const which = deliveries === undefined ? "" : `&deliveries=${deliveries}`;
    return this.post("lease", `&chunk=${chunk}&offset=${offset}&size=${next}&lease=${leaseMs}${which}`);
  }

  seek(to: string): Promise<[status: number, code: string]> {
    return this.post("seek", `&to=${encodeURIComponent(to)}`);
  }

  forget(): Promise<[status: number, code: string]> {
    return this.post("consumers", "", "DELETE");
  }

  async post(path: string, rest = "", method = "POST"): Promise<[status: number, code: string]> {
    const response = await this.#fetch(path, rest, { method });
    const answer = await response.json();
    return [response.status, answer.error?.code ?? ""];
  }

  #fetch(path: string, rest: string, init: RequestInit): Promise<Response> {
    return this.node.fetch(`/${path}?category=${this.category}&consumer=${this.consumer}${rest}`, init);
  }
}

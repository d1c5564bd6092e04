/**
 * Machines on one network, as far as a kernel can play them: a network namespace for each host, one more with a bridge
 * as their switch, and a cable from there to the test itself.
 *
 * Names are unique per run, and everything is removed at the end. Needs root and `ip`; whether that is enough is tried
 * out by {@linkcode canMakeHosts}.
 *
 * @module
 */
import type { Need } from "./skip.ts";

const PORT = 8080;
/** An address that no machine on the network has: what is sent there is lost without a word. */
const NOBODY = "02:00:00:00:00:99";

/** One machine. */
export interface Host {
  readonly index: number;
  /** Network namespace. */
  readonly namespace: string;
  /** What others know it by. */
  readonly name: string;
  /** Where it is now. */
  address: string;
}

/** Hosts on one network. */
export class Hosts implements AsyncDisposable {
  readonly port = PORT;
  readonly hosts: Host[] = [];
  readonly #id: string;
  readonly #subnet: string;

  private constructor(id: string, subnet: string) {
    this.#id = id;
    this.#subnet = subnet;
  }

  /** Makes so many hosts. */
  static async make(count: number): Promise<Hosts> {
    const id = Array.from(
      crypto.getRandomValues(new Uint8Array(3)),
      (byte) => byte.toString(16).padStart(2, "0"),
    )
      .join("");
    const routes = await ip("route", "show");
    let subnet: string;
    do subnet = `10.${64 + Math.floor(Math.random() * 64)}.${Math.floor(Math.random() * 256)}`; while (
      routes.includes(`${subnet}.`)
    );
    const hosts = new Hosts(id, subnet);
    try {
      await hosts.#build(count);
      return hosts;
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #build(count: number): Promise<void> {
    const hub = this.#switch;
    await ip("netns", "add", hub);
    await ip("-n", hub, "link", "add", "name", "br0", "type", "bridge");
    await ip("-n", hub, "link", "set", "br0", "up");
    await ip("link", "add", "name", `ck${this.#id}`, "type", "veth", "peer", "name", "test", "netns", hub);
    await ip("-n", hub, "link", "set", "test", "master", "br0", "up");
    await ip("address", "add", `${this.#subnet}.254/24`, "dev", `ck${this.#id}`);
    await ip("link", "set", `ck${this.#id}`, "up");
    for (let index = 0; index < count; index++) {
      const namespace = `chukcha-${this.#id}-${index + 1}`;
      const host: Host = { index, namespace, name: `host-${index + 1}`, address: this.#address(index + 1) };
      this.hosts.push(host);
      await ip("netns", "add", namespace);
      await ip("-n", namespace, "link", "set", "lo", "up");
      await ip(
        "-n",
        namespace,
        "link",
        "add",
        "eth0",
        "type",
        "veth",
        "peer",
        "name",
        cable(host),
        "netns",
        hub,
      );
      await ip("-n", hub, "link", "set", cable(host), "master", "br0", "up");
      await ip("-n", namespace, "address", "add", `${host.address}/24`, "dev", "eth0");
      await ip("-n", namespace, "link", "set", "eth0", "up");
    }
    this.#writeNames();
  }

  /** What a program is started with to run on a host. */
  prefix({ namespace }: Host): string[] {
    return ["ip", "netns", "exec", namespace];
  }

  /** Pulls a host's cable out, or puts it back in. */
  async link(host: Host, state: "up" | "down"): Promise<void> {
    await ip("-n", this.#switch, "link", "set", cable(host), state);
  }

  /** Loses all that `from` sends to `to`, and nothing that comes back. */
  async lose(from: Host, to: Host): Promise<void> {
    await ip(
      "-n",
      from.namespace,
      "neigh",
      "replace",
      to.address,
      "lladdr",
      NOBODY,
      "dev",
      "eth0",
      "nud",
      "permanent",
    );
  }

  /** The reverse of {@linkcode lose}. */
  async find(from: Host, to: Host): Promise<void> {
    await ip("-n", from.namespace, "neigh", "del", to.address, "dev", "eth0");
  }

  /** Gives a host another address; the others are told, as by their name service. */
  async move(host: Host): Promise<void> {
    const before = host.address;
    host.address = this.#address(host.index + 101);
    await ip("-n", host.namespace, "address", "del", `${before}/24`, "dev", "eth0");
    await ip("-n", host.namespace, "address", "add", `${host.address}/24`, "dev", "eth0");
    this.#writeNames();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // With a namespace goes whatever has an end in it.
    for (const namespace of [...this.hosts.map(({ namespace }) => namespace), this.#switch]) {
      await ip("netns", "del", namespace).catch(() => {});
      await Deno.remove(`/etc/netns/${namespace}`, { recursive: true }).catch(() => {});
    }
    await Deno.remove("/etc/netns").catch(() => {});
  }

  get #switch(): string {
    return `chukcha-${this.#id}-s`;
  }

  #address(last: number): string {
    return `${this.#subnet}.${last}`;
  }

  /** Written in place: the file is mounted over `/etc/hosts` of programs that run. */
  #writeNames(): void {
    const lines = this.hosts.map(({ address, name }) => `${address} ${name}\n`);
    for (const { namespace } of this.hosts) {
      Deno.mkdirSync(`/etc/netns/${namespace}`, { recursive: true });
      Deno.writeTextFileSync(`/etc/netns/${namespace}/hosts`, `127.0.0.1 localhost\n${lines.join("")}`);
    }
  }
}

function cable({ index }: Host): string {
  return `to${index + 1}`;
}

/** Runs `ip`; throws with what it says if it fails. */
export async function ip(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("ip", { args }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Whether namespaces, bridges and cables between them can be made here: in a container, root is often not enough. */
export function canMakeHosts(): Need {
  const id = `chukcha-try-${crypto.randomUUID().slice(0, 8)}`;
  const attempt = (...args: string[]): string | undefined => {
    try {
      const { success, stderr } = new Deno.Command("ip", { args }).outputSync();
      return success ? undefined : new TextDecoder().decode(stderr).trim();
    } catch (error) {
      return String(error);
    }
  };
  const failure = attempt("netns", "add", id) ??
    attempt("-n", id, "link", "add", "name", "br0", "type", "bridge") ??
    attempt("-n", id, "link", "add", "name", "veth1", "type", "veth", "peer", "name", "veth2") ??
    attempt("netns", "exec", id, "true");
  attempt("netns", "del", id);
  return {
    what: `network namespaces that can be made${failure === undefined ? "" : ` (${failure})`}`,
    present: failure === undefined,
  };
}

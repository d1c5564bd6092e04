/**
 * PostgreSQL of a test's own: a cluster in a temporary directory, which is reached by a socket there and by nothing
 * else. No service of the system is touched.
 *
 * It refuses to run as root, so that where tests do, it runs as "nobody". Disposing of it stops it and removes its
 * directory.
 *
 * @module
 */
import postgres, { type Sql } from "postgres";
import { type Listening, startListening } from "./listening.ts";
import type { Need } from "./skip.ts";

/** Where Debian has the programs: not on PATH, since there may be several versions. */
const DEBIAN = "/usr/lib/postgresql";
/** "nobody" on Debian and most others; whose names are looked up has no part in this. */
const NOBODY = 65_534;
const USER = "chukcha";

/** Needed by tests that use it; in Debian the package postgresql. */
export function postgresql(): Need {
  return {
    what: "the programs initdb and postgres (Debian: apt-get install postgresql)",
    present: programs() !== undefined,
  };
}

/** A running server. */
export class Postgres implements AsyncDisposable {
  private constructor(
    /** Directory of the socket. */
    readonly host: string,
    private readonly process: Listening,
  ) {}

  /** Starts one; resolves when it takes connections. */
  static async start(): Promise<Postgres> {
    const bin = programs();
    if (bin === undefined) throw new Error(`there is no PostgreSQL on PATH or in ${DEBIAN}`);
    const host = await Deno.makeTempDir({ prefix: "chukcha-postgres-" });
    const asNobody = Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    if (Deno.uid() === 0) await Deno.chown(host, NOBODY, NOBODY);
    const options = { cwd: host, env: { LC_ALL: "C.UTF-8", TZ: "UTC" }, ...asNobody };
    const data = `${host}/data`;
    try {
      const args = ["-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"];
      const { success, stderr } = await new Deno.Command(`${bin}/initdb`, { ...options, args }).output();
      if (!success) throw new Error(`initdb failed: ${new TextDecoder().decode(stderr)}`);
      const process = await startListening(`${bin}/postgres`, {
        ...options,
        args: ["-D", data, "-k", host, "-c", "listen_addresses="],
        address: /ready to accept connections/,
      });
      return new Postgres(host, process);
    } catch (error) {
      await Deno.remove(host, { recursive: true });
      throw error;
    }
  }

  /** Opens connections, so many at most; whoever asks closes them with `end()`. */
  connect(max = 1): Sql {
    return postgres({ host: this.host, database: "postgres", username: USER, max, onnotice: () => {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // SIGTERM would wait for a test that failed to close its connections.
    Deno.kill(this.process.pid, "SIGQUIT");
    await this.process.ended;
    await Deno.remove(this.host, { recursive: true });
  }
}

/** The directory of the programs: that of PATH, or Debian's newest. */
function programs(): string | undefined {
  const path = (Deno.env.get("PATH") ?? "").split(":").filter((directory) => directory !== "");
  const versions = namesIn(DEBIAN).toSorted((a, b) => Number(b) - Number(a));
  return [...path, ...versions.map((version) => `${DEBIAN}/${version}/bin`)]
    .find((directory) => isThere(`${directory}/initdb`) && isThere(`${directory}/postgres`));
}

function namesIn(directory: string): string[] {
  try {
    return Array.from(Deno.readDirSync(directory), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

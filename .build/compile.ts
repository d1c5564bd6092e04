/**
 * `deno task compile`: one self-contained executable per system, with the permissions it needs and no more.
 *
 * ```text
 * dist/chukcha_0.1.0_linux_amd64.tar.gz      chukcha_0.1.0_linux_amd64/{chukcha,README.md,LICENSE}
 * dist/chukcha_0.1.0_checksums.txt           as sha256sum prints and checks it
 * ```
 *
 * An executable is Deno's small runtime (`denort`) with the modules, assets and used npm packages attached. Deno
 * downloads `denort` for each target from its own host. Where that host cannot be reached, `DENORT_BIN=<a deno binary>`
 * lets the same step attach the same things to that binary instead. What comes out then is good for looking into, as
 * `tests/compile_test.ts` does: which files and packages were attached, with which permissions and settings. It is
 * **not** a release and does not run as chukcha: a full `deno` takes no notice of what is attached to it and behaves
 * as the plain `deno` command. Nor is it any other system's binary, so only this machine's target is built that way.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { VERSION } from "../lib/version.ts";
import { type PackedFile, packTarGz } from "./tar.ts";

/** What Deno calls a target, and what a release file calls it. */
const TARGETS: Readonly<Record<string, string>> = {
  "x86_64-unknown-linux-gnu": "linux_amd64",
  "aarch64-unknown-linux-gnu": "linux_arm64",
  "x86_64-apple-darwin": "darwin_amd64",
  "aarch64-apple-darwin": "darwin_arm64",
  "x86_64-pc-windows-msvc": "windows_amd64",
};

/**
 * What the program may do: all that `deno run -A` may, so that both are the same program. Addresses, peers, directories
 * and certificates are settings, so that network and files could not be narrowed; and the runtime shows how many
 * descriptors are open, which the bound on connections counts, to nobody who may not do everything. What it may do is
 * for the system to narrow: a user, a container, a unit of systemd.
 */
export const PERMISSIONS: readonly string[] = ["--allow-all"];

const ROOT = new URL("../", import.meta.url);

/** Builds one target and returns the path of the executable. */
async function compile(target: string, directory: string): Promise<string> {
  const executable = `${directory}/chukcha${target.includes("windows") ? ".exe" : ""}`;
  const options = ["--target", target, "--exclude-unused-npm", "--app-name", "chukcha", ...PERMISSIONS];
  const command = new Deno.Command(Deno.execPath(), {
    args: ["compile", ...options, "--output", executable, "main.ts"],
    cwd: ROOT,
    stdin: "null",
  });
  const { success } = await command.spawn().status;
  if (!success) {
    throw new Error(
      `${target} could not be built; if it was the download of denort that failed, this machine does not reach Deno's ` +
        "host: DENORT_BIN=$(command -v deno) deno task compile checks all but that",
    );
  }
  return executable;
}

/** Packs an executable with what belongs beside it. */
async function pack(executable: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const beside = ["README.md", "LICENSE"].map((path): PackedFile => ({
    path: `${name}/${path}`,
    bytes: Deno.readFileSync(new URL(path, ROOT)),
    mode: 0o644,
  }));
  const program = {
    path: `${name}/${executable.split("/").at(-1)}`,
    bytes: Deno.readFileSync(executable),
    mode: 0o755,
  };
  return await packTarGz([program, ...beside]);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function main(args: readonly string[]): Promise<void> {
  const flags = parseArgs(args, {
    string: ["target", "out"],
    boolean: ["pack"],
    negatable: ["pack"],
    default: { pack: true, out: new URL("dist", ROOT).pathname },
    unknown: (name) => {
      throw new Error(`unknown argument ${name}; there are --target TARGET, --out DIRECTORY and --no-pack`);
    },
  });
  const out = String(flags["out"]);
  const substitute = Deno.env.has("DENORT_BIN");
  const chosen = flags["target"] ?? (substitute ? Deno.build.target : undefined);
  const targets = chosen === undefined ? Object.keys(TARGETS) : [String(chosen)];
  const checksums: string[] = [];
  for (const target of targets) {
    if (!TARGETS[target]) {
      throw new Error(`--target: ${target} is not one of ${Object.keys(TARGETS).join(", ")}`);
    }
    const name = `chukcha_${VERSION}_${TARGETS[target]}`;
    await Deno.mkdir(`${out}/${name}`, { recursive: true });
    const executable = await compile(target, `${out}/${name}`);
    if (!flags["pack"]) continue;
    const packed = await pack(executable, name);
    await Deno.writeFile(`${out}/${name}.tar.gz`, packed);
    checksums.push(`${await sha256(packed)}  ${name}.tar.gz\n`);
  }
  if (flags["pack"]) await Deno.writeTextFile(`${out}/chukcha_${VERSION}_checksums.txt`, checksums.join(""));
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    await Deno.stderr.write(
      new TextEncoder().encode(`compile: ${error instanceof Error ? error.message : error}\n`),
    );
    Deno.exit(1);
  }
}

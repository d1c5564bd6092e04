/**
 * What `deno task compile` attaches to an executable. Deno's own download host may be out of reach, so this builds on
 * the running `deno` binary (see `.build/compile.ts` for what such a build is not) and looks into the result; that the
 * permissions are enough is tried from source, under the same flags.
 *
 * @module
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { PERMISSIONS } from "../.build/compile.ts";
import { packTarGz } from "../.build/tar.ts";
import { VERSION } from "../lib/version.ts";
import { startListening } from "./support/listening.ts";
import { testWith, tool } from "./support/skip.ts";

const ROOT = new URL("../", import.meta.url);

/** The part of an executable's own description that is asserted on. */
interface Metadata {
  readonly entrypoint_key: string;
  readonly app_version: string;
  readonly permissions: Readonly<Record<string, unknown>>;
  readonly unstable_config: { readonly features: readonly string[] };
}

/** A build: what the tool listed, the description within the executable, and everything that was attached. */
interface Build {
  readonly listing: string;
  readonly metadata: Metadata;
  readonly attached: string;
}

Deno.test("compile attaches what the program uses, and nothing else", async (t) => {
  const { listing, metadata, attached } = await build();

  await t.step("every module of the program, and every asset", async () => {
    const local = await localModules();
    assert(local.includes("main.ts") && local.length > 20, `${local.length} modules found`);
    const missing = local.filter((path) => !attached.includes(sourceOf(path)));
    assertEquals(missing, []);
  });

  await t.step("no test, no build script", () => {
    for (
      const path of ["tests/shape_test.ts", "tests/support/skip.ts", ".build/compile.ts", "lib/std/assert.ts"]
    ) {
      assertFalse(attached.includes(sourceOf(path)), path);
    }
  });

  await t.step("the npm packages that are used", () => {
    const { npm }: { npm: Record<string, unknown> } = JSON.parse(sourceOf("deno.lock"));
    const known = Object.keys(npm).map((id) => id.slice(0, id.lastIndexOf("@")));
    // A package that is attached has its package.json with it, word by word.
    const packages = known.filter((name) => attached.includes(`"name": "${name}"`));
    assertEquals(packages, ["@logtape/logtape", "deno-std", "hono"], listing);
  });

  await t.step("what `deno run -A` may, and no questions", () => {
    const { permissions } = metadata;
    const lacking = Object.entries(permissions).filter(([name, value]) =>
      name.startsWith("deny_") && value !== null
    );
    // All of a kind is the empty list.
    const kinds = ["env", "ffi", "net", "read", "run", "sys", "write"];
    assertEquals([kinds.map((kind) => permissions[`allow_${kind}`]), lacking], [kinds.map(() => []), []]);
  });

  await t.step("settings of the runtime, entry point and version", () => {
    const { unstable }: { unstable: string[] } = JSON.parse(
      Deno.readTextFileSync(new URL("deno.json", ROOT)),
    );
    assertEquals(metadata.unstable_config.features, unstable);
    assertEquals(metadata.entrypoint_key, "main.ts");
    assertEquals(metadata.app_version, VERSION);
  });
});

Deno.test("the permissions of an executable are enough to serve, write, read and ask", async () => {
  const directory = await Deno.makeTempDir();
  const options = ["--listen", "127.0.0.1:0", "--data-dir", `${directory}/data`];
  const args = ["run", ...PERMISSIONS, "main.ts", "serve", ...options];
  await using node = await startListening(Deno.execPath(), { args, cwd: ROOT });
  const { url } = node;
  const answer = await fetch(`${url}/write?category=a`, { method: "POST", body: "one\ntwo\n" });
  assertEquals(answer.status, 200, await answer.text());
  const metrics = await (await fetch(`${url}/metrics`)).text();
  for (
    const name of ["process_cpu_seconds_total", ...onLinux("chukcha_open_connections", "process_open_fds")]
  ) {
    assert(metrics.includes(`\n${name} `), name);
  }
  for (
    const [command, ...args] of [["categories"], ["chunks", "a"], ["read", "a"], ["status"], ["version"]]
  ) {
    const { code, stdout, stderr } = await program([command!, ...args], url).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    if (command === "read") assertEquals(new TextDecoder().decode(stdout), "one\ntwo\n");
  }
  assertEquals(await node.stop(), 0);
  await Deno.remove(directory, { recursive: true });
});

testWith("packTarGz makes an archive that tar reads, the same bytes each time", [tool("tar")], async () => {
  const bytes = new TextEncoder().encode("hello\n");
  const files = [{ path: "a/b", bytes, mode: 0o755 }, {
    path: "a/c",
    bytes: new Uint8Array(1024),
    mode: 0o644,
  }];
  const packed = await packTarGz(files);
  assertEquals(packed, await packTarGz(files));
  const directory = await Deno.makeTempDir();
  await Deno.writeFile(`${directory}/x.tar.gz`, packed);
  const { code, stderr } = await new Deno.Command("tar", { args: ["xzf", "x.tar.gz"], cwd: directory })
    .output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertEquals(await Deno.readTextFile(`${directory}/a/b`), "hello\n");
  assertEquals((await Deno.stat(`${directory}/a/c`)).size, 1024);
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(`${directory}/a/b`)).mode! & 0o777, 0o755);
  await Deno.remove(directory, { recursive: true });
});

async function build(): Promise<Build> {
  const out = await Deno.makeTempDir();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ".build/compile.ts", "--no-pack", "--out", out],
    cwd: ROOT,
    env: { DENORT_BIN: Deno.execPath(), NO_COLOR: "1" },
  }).output();
  const listing = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(success, listing);
  const [directory] = Array.from(Deno.readDirSync(out));
  assert(/^chukcha_[\d.]+_(linux|darwin|windows)_(amd64|arm64)$/.test(directory!.name), directory!.name);
  const suffix = Deno.build.os === "windows" ? ".exe" : "";
  const executable = await Deno.readFile(`${out}/${directory!.name}/chukcha${suffix}`);
  await Deno.remove(out, { recursive: true });
  // Twice the size of what is attached today; the base has no copy of our sources.
  const tail = new TextDecoder().decode(executable.subarray(-16 * 1024 * 1024));
  return { listing, metadata: metadataOf(tail), attached: tail };
}

/** The description is one JSON object somewhere in what was attached; it opens with the arguments. */
function metadataOf(tail: string): Metadata {
  const text = tail.slice(tail.lastIndexOf('{"argv":'));
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (quoted && text[i] === "\\") i++;
    else if (text[i] === '"') quoted = !quoted;
    else if (!quoted && text[i] === "{") depth++;
    else if (!quoted && text[i] === "}" && --depth === 0) return JSON.parse(text.slice(0, i + 1));
  }
  throw new Error("no description was found in the executable");
}

/** A module as `deno info` tells of it: `code` is what is imported to run, not for types alone. */
interface InfoModule {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
}

/** Paths of the program's own modules and assets: what `main.ts` reaches when it runs. */
async function localModules(): Promise<string[]> {
  const command = new Deno.Command(Deno.execPath(), { args: ["info", "--json", "main.ts"], cwd: ROOT });
  const { modules }: { modules: InfoModule[] } = JSON.parse(
    new TextDecoder().decode((await command.output()).stdout),
  );
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const reached = new Set<string>();
  const visit = (specifier: string): void => {
    if (reached.has(specifier) || !specifier.startsWith(ROOT.href)) return;
    reached.add(specifier);
    for (const { code } of byName.get(specifier)?.dependencies ?? []) visit(code?.specifier ?? "");
  };
  visit(new URL("main.ts", ROOT).href);
  return Array.from(reached, (specifier) => specifier.slice(ROOT.href.length));
}

function sourceOf(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function onLinux(...names: string[]): string[] {
  return Deno.build.os === "linux" ? names : [];
}

/** The program from source, under the permissions of the executable. */
function program(args: readonly string[], url: string): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...PERMISSIONS, "main.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", CHUKCHA_SERVER: url },
    stdout: "piped",
    stderr: "piped",
  });
}

/**
 * What tests of disks need: a node on a file system of its own, and what it says of it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { canLoop, canMount, type FileSystem } from "../support/file_systems.ts";
import { type Answered, freePorts, Member } from "../support/member.ts";
import { lacking, linuxRoot, type Need, tool } from "../support/skip.ts";

/** What it takes to mount a tmpfs. */
export const mounting: readonly Need[] = tried([linuxRoot(), tool("mount")], canMount);
/** What it takes to mount an ext4. */
export const looping: readonly Need[] = tried([linuxRoot(), tool("mount"), tool("mkfs.ext4")], canLoop);

/** Tried out only where there is a point in it: that costs some processes. */
function tried(needs: Need[], attempt: () => Need): Need[] {
  return lacking(needs) === undefined ? [...needs, attempt()] : needs;
}

/** A node with its data on this file system, alone. */
export async function startOn(
  files: FileSystem,
  ...flags: string[]
): Promise<AsyncDisposable & { member: Member }> {
  const [port = 0] = freePorts(1);
  const member = new Member({ instance: "node_1", dataDir: `${files.path}/data`, port, peers: "", flags });
  await member.start();
  return { member, [Symbol.asyncDispose]: () => member.kill() };
}

/** Refused for the disk's sake, and certainly not written. */
export function assertRefused({ status, error, text }: Answered, code: string): void {
  assertEquals([status, error?.code, error?.written], [503, code, "no"], text);
}

/** What `/readyz` and `/status` say of the disk. */
export async function diskCheck(member: Member): Promise<{ ready: number; ok: boolean; message: string }> {
  const { status } = await member.ask("/readyz");
  const { checks } = await member.status();
  const { ok, message } = checks.find(({ name }) => name === "disk")!;
  return { ready: status, ok, message };
}

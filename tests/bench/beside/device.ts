/**
 * The device itself: 100 bytes appended to a file and synced, one after the other. What a program gets that syncs each
 * message by itself.
 *
 * @module
 */
import {
  type Client,
  type Contender,
  type Durability,
  messageOf,
  type RunningContender,
} from "./contender.ts";
import { timeSingles } from "./timing.ts";
import { SYNCS } from "./works.ts";

/** No server, but the file system below it. */
export const device: Contender = {
  name: "fdatasync",
  about: "100 bytes appended and synced, one after the other",
  version: () => Promise.resolve(`Deno ${Deno.version.deno}, ${Deno.build.os}`),
  measures: (figure) => figure === SYNCS,
  start: (directory: string, _durability: Durability) =>
    Promise.resolve({ pid: Deno.pid, address: "", directory, stop: () => Promise.resolve() }),
  async singles({ directory }: RunningContender, { seconds, bytes }) {
    using file = await Deno.open(`${directory}/appended`, { write: true, create: true });
    const message = new TextEncoder().encode(`${messageOf(bytes)}\n`);
    return await timeSingles(1, seconds, async () => {
      file.writeSync(message);
      await file.syncData();
    });
  },
  connect: (): Promise<Client> => Promise.reject(new Error("fdatasync: there is nothing to connect to")),
};

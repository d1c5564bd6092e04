/**
 * A replica whose disk is full, as a process of its own: its owner and its clients go on, it says so wherever one would
 * look, and it catches up by itself.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MIB } from "../../lib/protocol/limits.ts";
import { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { FileSystem } from "../support/file_systems.ts";
import { freePorts, Member } from "../support/member.ts";
import { programArgs, temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { testWith } from "../support/skip.ts";
import { diskCheck, mounting } from "./ground.ts";

const DISK_BYTES = 4 * MIB;
const BATCH = ("x".repeat(1023) + "\n").repeat(128);

testWith(
  "a replica with a full disk says so, writes go on elsewhere, acknowledgements reach it, and it catches up",
  mounting,
  async (t) => {
    await using directory = await temporaryDirectory();
    await using files = await FileSystem.tmpfs(DISK_BYTES);
    const ports = freePorts(2);
    const peers = ports.map((port, i) => `node_${i + 1}=http://127.0.0.1:${port}`).join(",");
    const at = [`${directory.path}/data`, `${files.path}/data`];
    await using cluster = TestCluster.of(
      ports.map((port, i) =>
        new Member({
          instance: `node_${i + 1}`,
          dataDir: at[i]!,
          port,
          peers,
          flags: ["--max-chunk-size", "1MiB"],
        })
      ),
    );
    const [owner, replica] = cluster.members as [Member, Member];
    await Promise.all(cluster.members.map((member) => member.launch()));
    await Promise.all(cluster.members.map((member) => member.ready()));

    await t.step("it says so", async () => {
      for (let i = 0; i < 48; i++) await owner.write("web", BATCH);
      const { message } = await eventually(
        "the replica is not ready",
        () => diskCheck(replica),
        ({ ready, ok }) => ready === 503 && !ok,
      );
      assertStringIncludes(message, "resume by themselves");
      assertEquals((await diskCheck(owner)).ready, 200);
      const seen = await eventually(
        "it is told of the peer",
        async () => (await replica.status()).peers[0]!,
        (peer) => peer.behind_bytes > MIB && peer.last_error !== null,
      );
      assertStringIncludes(seen.last_error!, "on the disk");
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: programArgs("status", "--server", replica.url),
      }).output();
      const text = new TextDecoder().decode(stdout);
      assertEquals(code, 10, text);
      assertStringIncludes(text, "FAIL disk");
      const metrics = await replica.ask("/metrics");
      assertEquals(metrics.status, 200);
      assert(/disk.* 0$/m.test(metrics.text), metrics.text);
    });

    await t.step(
      "who wants a replica is told that there was none in time; who does not goes on",
      async () => {
        const { status, error } = await owner.askWrite("web", BATCH, "min_sync_replicas=1&timeout=500");
        assertEquals([status, error?.code, error?.written], [503, "not_confirmed", "maybe"]);
        assertEquals((await owner.askWrite("web", BATCH)).status, 200);
        // What is left may be too little for a piece of a copy, and enough for some batches.
        await eventually("its own writes are refused", () => replica.askWrite("own", BATCH), ({ error }) => {
          return error?.code === "disk_full" && error.written === "no";
        });
      },
    );

    await t.step("acknowledgements reach it, and make room for what it lacks", async () => {
      const before = await replica.listChunks("web");
      const acked = before.filter(({ complete }) => complete).slice(0, 2);
      for (const { name, size } of acked) assertEquals((await owner.ack("web", name, size)).status, 200);
      await eventually(
        "it takes more",
        () => replica.listChunks("web"),
        (chunks) => chunks.at(-1)!.name > before.at(-1)!.name && chunks[0]!.name > acked.at(-1)!.name,
      );
    });

    await t.step("it catches up once there is room for all", async () => {
      const startMs = performance.now();
      const chunks = await owner.listChunks("web");
      for (const { name, size, complete } of chunks.slice(0, -2)) {
        if (complete) assertEquals((await owner.ack("web", name, size)).status, 200);
      }
      await cluster.converged();
      await cluster.sameBytes();
      await replica.ready();
      report(`a full replica has caught up in ${Math.round(performance.now() - startMs)} ms`);
      const lines = replica.output.split("\n").filter((line) => /disk/.test(line) && /ERR|WRN/.test(line));
      assert(lines.length <= 8, lines.join("\n"));
    });
    await Promise.all(cluster.members.map((member) => member.stop()));
  },
);

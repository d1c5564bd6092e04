/**
 * @module Tests of `lib/console/status_page.ts`.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { renderStatusPage } from "../../lib/console/status_page.ts";
import type { ConsumerLag, NodeStatus, PeerStatus } from "../../lib/protocol/types.ts";

const STATUS: NodeStatus = {
  instance: "node_1",
  incarnation: "9f2c41d8",
  version: "0.1.0",
  state: "serving",
  uptime_ms: 93_784_000,
  promise: "A write that was answered survives the death of the process, not a power loss.",
  healthy: true,
  checks: [{ name: "disk space", ok: true, message: "41 GiB are free." }],
  categories: 12,
  chunks: 1834,
  bytes: 97_844_723_712,
  consumers: { count: 0, behind: [] },
  peers: [],
  disk: { path: "/var/lib/chukcha", free_bytes: 44 * 1024 ** 3, total_bytes: 176 * 1024 ** 3 },
  scrub: {
    interval_ms: 1000,
    last_round_ms: null,
    chunks: 12,
    bytes: 3400,
    damaged: 3,
    healed: 2,
    unhealed: 1,
  },
  open: { files: 64, tails: 3, body_bytes: 0, connections: 9 },
  settings: { instance: "node_1", listen: "127.0.0.1:8080", sync_each_write: false, max_batch_size: 4194304 },
};

/** What stands between the tags. */
function text(page: string): string {
  return page.replace(/<style>.*?<\/style>/s, "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}

Deno.test("renderStatusPage shows what the status says", () => {
  const shown = text(renderStatusPage(STATUS));
  const expected = [
    "node_1",
    "healthy",
    "Chukcha 0.1.0, up 26 h 3 min",
    STATUS.promise,
    "ok disk space 41 GiB are free.",
    "Chunks 1,834",
    "Messages 91.1 GiB",
    "44.0 GiB of 176 GiB free, /var/lib/chukcha",
    "Bodies in memory 0 B",
    "sync_each_write false",
    "max_batch_size 4194304",
  ];
  for (const part of expected) assertStringIncludes(shown, part);
  assertStringIncludes(renderStatusPage(STATUS), 'aria-label="75 % used"');
});

Deno.test("renderStatusPage says in words how the node is", () => {
  const badge = (status: NodeStatus) =>
    /<span class="badge (\w+)">([^<]*)</.exec(renderStatusPage(status))?.slice(1);
  assertEquals(badge(STATUS), ["good", "healthy"]);
  assertEquals(badge({ ...STATUS, healthy: false }), ["bad", "needs attention"]);
  assertEquals(badge({ ...STATUS, healthy: false, state: "draining" }), ["wait", "draining"]);
  assertEquals(badge({ ...STATUS, healthy: false, state: "joining" }), ["wait", "joining"]);
  const failed = [{ name: "disk space", ok: false, message: "Full: delete something." }];
  assertStringIncludes(
    text(renderStatusPage({ ...STATUS, checks: failed })),
    "failed disk space Full: delete something.",
  );
});

const PEER: PeerStatus = {
  instance: "node_2",
  url: "http://10.0.0.2:8080",
  reachable: true,
  since_ms: 61_000,
  behind_bytes: 0,
  behind_chunks: 0,
  lag_bytes: 0,
  last_error: null,
};

Deno.test("renderStatusPage shows the peers, those that are away with the reason", () => {
  const away = {
    ...PEER,
    instance: "node_3",
    reachable: false,
    behind_bytes: 3_145_728,
    behind_chunks: 2,
    lag_bytes: null,
    last_error: "connection refused",
  };
  const shown = text(renderStatusPage({ ...STATUS, peers: [PEER, { ...PEER, lag_bytes: 2048 }, away] }));
  const expected = [
    "node_2 http://10.0.0.2:8080 reachable for 1 min nothing nothing",
    "reachable for 1 min nothing 2.0 KiB",
    "node_3 http://10.0.0.2:8080 unreachable for 1 min connection refused 3.0 MiB in 2 chunks not told",
  ];
  for (const part of expected) assertStringIncludes(shown, part);
  assert(!text(renderStatusPage(STATUS)).includes("Peers"));
});

const INDEXER: ConsumerLag = {
  category: "web",
  consumer: "indexer",
  lag_bytes: 3_145_728,
  lag_chunks: 2,
  leased_bytes: 1024,
};

Deno.test("renderStatusPage shows the consumers that are furthest behind, and says if there are more", () => {
  const mail = { ...INDEXER, consumer: "mail", lag_bytes: 0, lag_chunks: 0, leased_bytes: 0 };
  const page = (count: number) =>
    text(renderStatusPage({ ...STATUS, consumers: { count, behind: [INDEXER, mail] } }));
  assertStringIncludes(page(2), "indexer web 3.0 MiB in 2 chunks 1.0 KiB mail web nothing nothing Behind: ");
  assertStringIncludes(page(1002), "The 2 of 1,002 that are furthest behind; chukcha consumers has all.");
  assert(!text(renderStatusPage(STATUS)).includes("Consumer"));
});

Deno.test("renderStatusPage takes empty and odd figures", () => {
  const page = renderStatusPage({
    ...STATUS,
    checks: [],
    settings: {},
    uptime_ms: 0,
    bytes: 1023,
    disk: { path: "", free_bytes: 0, total_bytes: 0 },
  });
  assert(!/NaN|Infinity|undefined|null/.test(page));
  assertStringIncludes(text(page), "up 0 s");
  assertStringIncludes(text(page), "Messages 1023 B");
});

Deno.test("renderStatusPage needs nothing from elsewhere", () => {
  const page = renderStatusPage(STATUS);
  assert(!/<script|<img|@import|url\(|\son\w+=/.test(page));
  const targets = [...page.matchAll(/(?:href|src|action)="([^"]*)"/g)].map((match) => match[1]!);
  assertEquals(targets.filter((target) => !target.startsWith("data:")), ["openapi.json"]);
});

Deno.test("renderStatusPage escapes every text", () => {
  const tags = (page: string) => page.match(/<[^>]*>/g)!.length;
  const plain = tags(withText("x"));
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("<", ">", "&", '"', "'", "/", "a", " ") }), (evil) => {
      const page = withText(evil);
      assertEquals(tags(page), plain);
      assert(!/&(?!(amp|lt|gt|quot|#39);)/.test(page));
    }),
  );
  assertStringIncludes(withText(`<b a="'">&`), "&lt;b a=&quot;&#39;&quot;&gt;&amp;");
});

function withText(text: string): string {
  return renderStatusPage({
    ...STATUS,
    instance: text,
    incarnation: text,
    version: text,
    promise: text,
    checks: [{ name: text, ok: true, message: text }],
    peers: [{ ...PEER, instance: text, url: text, last_error: text }],
    consumers: { count: 1, behind: [{ ...INDEXER, category: text, consumer: text }] },
    disk: { ...STATUS.disk, path: text },
    settings: { [`k${text}`]: text },
  });
}

/**
 * @module Tests of `lib/promise.ts`.
 */
import { assertEquals } from "@std/assert";
import { describePromise } from "../lib/promise.ts";
import { parseCategoryChoice, parseCategoryLimits } from "../lib/protocol/category_limits.ts";
import { parseDuration, parseSize } from "../lib/quantities.ts";

const NOTHING_EXPIRES = "Nothing expires: only what a reader acknowledges is deleted.";
const parseQuantity = (text: string) => parseDuration(text) ?? parseSize(text);

Deno.test("describePromise says what is survived and what is not, for every combination", () => {
  const wanted: [syncEachWrite: boolean, minSyncReplicas: number, peers: number, sentence: string][] = [
    [
      false,
      0,
      0,
      "the death of this process, but not a power loss of this machine (--sync-each-write does), nor the loss of " +
      "its disk: there is no other node to copy it to.",
    ],
    [
      true,
      0,
      0,
      "a power loss of this machine, but not the loss of its disk: there is no other node to copy it to.",
    ],
    [
      false,
      0,
      2,
      "the death of this process, but neither a power loss of this machine (--sync-each-write does) nor its loss " +
      "for good (--min-sync-replicas does): what none of the 2 other nodes has fetched yet is lost with it.",
    ],
    [
      true,
      0,
      1,
      "a power loss of this machine, but not the loss of its disk (--min-sync-replicas does): what the other node " +
      "has not yet fetched is lost with it.",
    ],
    [
      false,
      1,
      2,
      "the loss of any one machine for good, but not a power loss of both machines that hold it at the same time " +
      "(--sync-each-write does).",
    ],
    [
      true,
      2,
      4,
      "the loss of any 2 machines for good, and a power loss of the whole cluster, but not the loss of all 3 " +
      "machines that hold it.",
    ],
  ];
  for (const [syncEachWrite, minSyncReplicas, count, sentence] of wanted) {
    const peers = Array.from({ length: count });
    assertEquals(
      describePromise({
        syncEachWrite,
        minSyncReplicas,
        peers,
        retentionAge: [],
        retentionSize: [],
        retentionConsumed: [],
      }),
      `A write answered with 200 survives ${sentence} ${NOTHING_EXPIRES}`,
    );
  }
});

Deno.test("describePromise says what goes once its consumers have read it", () => {
  const settings = {
    syncEachWrite: false,
    minSyncReplicas: 0,
    peers: [],
    retentionAge: [],
    retentionSize: [],
  };
  const promise = describePromise({
    ...settings,
    retentionConsumed: parseCategoryChoice("audit=off,logs.*"),
  });
  assertEquals(
    promise.slice(promise.indexOf(". ") + 2),
    `${NOTHING_EXPIRES} By its consumers, a chunk is deleted never in audit, once every named consumer has acknowledged ` +
      "it in logs.*, never elsewhere.",
  );
});

Deno.test("describePromise says what expires, and when", () => {
  const rules = (text: string) => parseCategoryLimits(text, parseQuantity, "a quantity");
  const wanted: [age: string, size: string, sentence: string][] = [
    ["off", "off", NOTHING_EXPIRES],
    ["logs.*=off", "*=off", NOTHING_EXPIRES],
    ["7d", "off", "A chunk expires, acknowledged or not, 7d after its last message."],
    ["off", "100GiB", "A chunk expires, acknowledged or not, when it is older than the newest 100GiB."],
    [
      "logs.*=7d,audit=off,30d",
      "logs.*=1GiB",
      "A chunk expires, acknowledged or not, 7d after its last message in logs.*, never in audit, 30d after its last " +
      "message elsewhere, and when it is older than the newest 1GiB in logs.*, never elsewhere.",
    ],
  ];
  for (const [age, size, sentence] of wanted) {
    const retention = { retentionAge: rules(age), retentionSize: rules(size), retentionConsumed: [] };
    const promise = describePromise({ syncEachWrite: false, minSyncReplicas: 0, peers: [], ...retention });
    assertEquals(promise.slice(promise.indexOf(". ") + 2), sentence);
  }
});

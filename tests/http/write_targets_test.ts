/**
 * What URLs of writes ask for, and that what is remembered is what would be judged anew.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { WriteTargets } from "../../lib/http/write_targets.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  WRITE_TARGETS_MAX,
  WRITE_TIMEOUT_MS_DEFAULT,
  WRITE_URL_CHARS_MAX,
} from "../../lib/protocol/limits.ts";

const BASE = "http://127.0.0.1:8080/write";

function targets(): WriteTargets {
  return new WriteTargets({ syncEachWrite: true, minSyncReplicas: 1, peerCount: 2 });
}

Deno.test("WriteTargets: what a URL does not say is the node's own", () => {
  const { category, demand, source } = targets().of(`${BASE}?category=web`);
  assertEquals([category, source], ["web", undefined]);
  assertEquals(demand, { replicas: 1, sync: true, timeoutMs: WRITE_TIMEOUT_MS_DEFAULT });
  const asked = targets().of(`${BASE}?category=web&sync_each_write=0&min_sync_replicas=2&timeout=50&other=1`);
  assertEquals(asked.demand, { replicas: 2, sync: false, timeoutMs: 50 });
});

Deno.test("WriteTargets: a URL that comes again is not judged again; one with a sequence, or a long one, is", () => {
  const known = targets();
  const plain = `${BASE}?category=web`;
  assertStrictEquals(known.of(plain), known.of(plain));
  const numbered = `${BASE}?category=web&producer=p&sequence=7`;
  assertEquals(known.of(numbered).source, { producer: "p", sequence: 7 });
  assert(known.of(numbered) !== known.of(numbered));
  const long = `${plain}&note=${"x".repeat(WRITE_URL_CHARS_MAX)}`;
  assert(known.of(long) !== known.of(long));
});

Deno.test("WriteTargets: what is refused is refused again, with the field, the value and the rule", () => {
  const known = targets();
  const refused: [query: string, words: string][] = [
    ["", "category: missing"],
    ["?category=../x", 'category: "../x"'],
    ["?category=web&min_sync_replicas=3", "min_sync_replicas: 3 is more than the 2 other nodes"],
    ["?category=web&timeout=soon", 'timeout: "soon"'],
    ["?category=web&producer=p", "sequence: missing"],
    ["?category=web&sequence=1", "producer: missing"],
  ];
  for (const [query, words] of refused) {
    for (let i = 0; i < 2; i++) assertThrows(() => known.of(`${BASE}${query}`), ChukchaError, words);
  }
});

Deno.test("WriteTargets: more URLs than are remembered are judged as well", () => {
  const known = targets();
  for (let i = 0; i <= WRITE_TARGETS_MAX; i++) {
    assertEquals(known.of(`${BASE}?category=c${i}`).category, `c${i}`);
  }
  const last = `${BASE}?category=c${WRITE_TARGETS_MAX}`;
  assertStrictEquals(known.of(last), known.of(last));
  const first = `${BASE}?category=c0`;
  assertEquals(known.of(first).category, "c0");
});

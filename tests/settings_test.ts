/**
 * Settings: precedence, what is refused and in which words, and that one table covers every setting.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChukchaError } from "../lib/protocol/errors.ts";
import { isInstance } from "../lib/protocol/names.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "../lib/quantities.ts";
import {
  configName,
  DEFAULT_SETTINGS,
  environmentName,
  formatListen,
  instanceFromHostname,
  parseListen,
  resolveSettings,
  SETTINGS,
  type SettingSources,
} from "../lib/settings.ts";
import { nearest } from "../lib/suggest.ts";
import { VERSION } from "../lib/version.ts";

const NOTHING: SettingSources = { flags: {}, env: {}, hostname: "host" };

function refused(sources: Partial<SettingSources>): string {
  return assertThrows(() => resolveSettings({ ...NOTHING, ...sources }), ChukchaError).message;
}

Deno.test("resolveSettings without sources gives the defaults", () => {
  assertEquals(resolveSettings(NOTHING), { ...DEFAULT_SETTINGS, instance: "host" });
});

Deno.test("resolveSettings takes flag over environment over configuration file over default, for every setting", () => {
  const texts: Record<string, [string, string, string]> = {
    "instance": ["a", "b", "c"],
    "data-dir": ["/a", "/b", "/c"],
    "listen": ["[::1]:1", "localhost:2", "127.0.0.1:3"],
    "max-chunk-size": ["1MiB", "2MiB", "3MiB"],
    "rotate-interval": ["1m", "2m", "3m"],
    "max-message-size": ["1KiB", "2KiB", "3KiB"],
    "max-batch-size": ["1MiB", "2MiB", "3MiB"],
    "sync-each-write": ["true", "false", "true"],
    "peers": ["a=http://a:1,b=http://b:1", "c=http://c:1", "d=http://d:1"],
    "min-sync-replicas": ["2", "1", "0"],
    "finalize-after": ["1h", "2h", "3h"],
    "retention-age": ["7d", "logs.*=7d,audit=off,30d", "off"],
    "retention-size": ["100GiB", "logs.*=1GiB", "1048576"],
    "retention-consumed": ["*", "logs.*,audit=off,web", "off"],
    "bootstrap": ["true", "false", "true"],
    "min-free-disk": ["1MiB", "2MiB", "3MiB"],
    "max-connections": ["1000", "2000", "3000"],
    "tokens-file": ["/a", "/b", "/c"],
    "cluster-token-file": ["/a", "/b", "/c"],
    "tls-cert": ["/a", "/b", "/c"],
    "tls-key": ["/a", "/b", "/c"],
    "tls-ca": ["/a", "/b", "/c"],
    "insecure-no-auth": ["true", "false", "true"],
    "cors-origin": ["*", "https://a.example", "http://b:1,http://c:2"],
    "scrub-interval": ["1h", "2h", "off"],
    "log-level": ["debug", "warn", "error"],
    "log-format": ["json", "text", "json"],
  };
  const needs: Record<string, Record<string, string>> = {
    "min-sync-replicas": { [environmentName("peers")]: "x=http://x:1,y=http://y:1" },
    "tls-cert": { [environmentName("tls-key")]: "/key" },
    "tls-key": { [environmentName("tls-cert")]: "/cert" },
  };
  for (const { key, flag, kind } of SETTINGS) {
    const [inFlag, inEnv, inConfig] = texts[flag]!;
    const flags = { [flag]: inFlag };
    const base = needs[flag] ?? {};
    const env = { ...base, [environmentName(flag)]: inEnv };
    const configText = JSON.stringify({ [configName(flag)]: inConfig });
    assertEquals(resolveSettings({ ...NOTHING, flags, env, configText })[key], kind.parse(inFlag));
    assertEquals(resolveSettings({ ...NOTHING, env, configText })[key], kind.parse(inEnv));
    assertEquals(resolveSettings({ ...NOTHING, env: base, configText })[key], kind.parse(inConfig));
  }
  assertEquals(Object.keys(texts).length, SETTINGS.length);
  assertEquals(SETTINGS.map(({ key }) => key).toSorted(), Object.keys(resolveSettings(NOTHING)).toSorted());
});

Deno.test("resolveSettings takes numbers and booleans of a configuration file as they are", () => {
  const configText = `{"max_chunk_size": 1048576, "sync_each_write": true}`;
  const { maxChunkSize, syncEachWrite } = resolveSettings({ ...NOTHING, configText });
  assertEquals([maxChunkSize, syncEachWrite], [1_048_576, true]);
});

Deno.test("resolveSettings names setting, place, value and rule of what it refuses", () => {
  const wanted: [Partial<SettingSources>, string][] = [
    [
      { flags: { "max-chunk-size": "64 apples" } },
      `--max-chunk-size: "64 apples" is not a size like 64MiB, 512KiB or 1048576, from 1 KiB to 1 TiB`,
    ],
    [
      { env: { CHUKCHA_ROTATE_INTERVAL: "10" } },
      `CHUKCHA_ROTATE_INTERVAL (environment): "10" is not a duration like 500ms, 90s, 10m, 24h or 1d, from 1ms to 365d`,
    ],
    [
      { configText: `{"log_level": "loud"}` },
      `log_level (config file): "loud" is not one of debug, info, warn, error`,
    ],
    [
      { flags: { listen: "8080" } },
      `--listen: "8080" is not an address like 127.0.0.1:8080, [::1]:8080, or :8080 for every interface`,
    ],
    [
      { flags: { instance: "a.b" } },
      `--instance: "a.b" is not an instance: 1 to 64 of A-Z a-z 0-9 _ -, the first not -`,
    ],
    [
      { env: { CHUKCHA_SYNC_EACH_WRITE: "maybe" } },
      `CHUKCHA_SYNC_EACH_WRITE (environment): "maybe" is not one of true, false, 1, 0, yes, no, on, off`,
    ],
    [{ flags: { "data-dir": "" } }, `--data-dir: "" is not a path`],
    [
      { flags: { "retention-age": "logs.*=7d,orders=7" } },
      `--retention-age: "7" for "orders" is not a duration like 500ms, 90s, 10m, 24h or 1d, from 1m to 36500d, or off`,
    ],
    [
      { env: { CHUKCHA_RETENTION_SIZE: "web/*=1GiB" } },
      `CHUKCHA_RETENTION_SIZE (environment): "web/*=1GiB": "web/*" is not a pattern of categories: 1 to 128 of A-Z a-z ` +
      "0-9 . _ - and * for any characters, the first not . or -",
    ],
    [
      { configText: `{"retention_age": "30d,logs.*=7d"}` },
      `retention_age (config file): "logs.*=7d" is never reached: "*=30d" before it matches all that it does; the first ` +
      "match counts, so put what is special first",
    ],
    [
      { flags: { "max-batch-size": "17MiB" } },
      `--max-batch-size: "17MiB" is not a size like 64MiB, 512KiB or 1048576, from 1 B to 16 MiB`,
    ],
    [
      { env: { CHUKCHA_MAX_MESSAGE_SIZE: "8MiB" } },
      `CHUKCHA_MAX_MESSAGE_SIZE (environment): "8MiB" is more than --max-batch-size (default): "4 MiB": ` +
      "a message must fit into a batch",
    ],
    [
      { flags: { "finalize-after": "0.5s" } },
      `--finalize-after: "0.5s" is not a duration like 500ms, 90s, 10m, 24h or 1d, from 1s to 365d`,
    ],
    [
      { flags: { peers: "http://a:1,http://b:2" } },
      `--peers: "http://a:1" has no name before it: write name=http://host:port`,
    ],
    [
      { env: { CHUKCHA_PEERS: "a=http://a:1,b=http://b:2,a=http://c:3" } },
      `CHUKCHA_PEERS (environment): "a" is both "http://a:1" and "http://c:3": one node, one URL`,
    ],
    [
      { flags: { "min-sync-replicas": "-1" } },
      `--min-sync-replicas: "-1" is not a whole number from 0 to 64`,
    ],
    [
      { flags: { "min-sync-replicas": "1" } },
      `--min-sync-replicas: "1" is more than the 0 other nodes of --peers (default): "none"`,
    ],
    [
      {
        flags: { instance: "a", "min-sync-replicas": "2" },
        env: { CHUKCHA_PEERS: "a=http://a:1,b=http://b:1" },
      },
      `--min-sync-replicas: "2" is more than the 1 other node of CHUKCHA_PEERS (environment): ` +
      `"a=http://a:1,b=http://b:1": no write could ever be answered`,
    ],
    [
      { flags: { instance: "a", peers: "b=http://127.0.0.1:8080" } },
      `--peers: "b=http://127.0.0.1:8080": "b" is where this node itself listens, which is --instance: "a"`,
    ],
    [{ configText: "{" }, "--config: the file is not JSON"],
    [{ configText: "[]" }, "--config: the file is not a JSON object"],
    [{ configText: `{"listen": ["a"]}` }, `listen (config file): "[\\"a\\"]" is not a string`],
  ];
  for (const [sources, message] of wanted) {
    assertEquals(refused(sources).slice(0, message.length), message);
  }
});

Deno.test("resolveSettings leaves no door open that was not opened by name, and says which ways there are", () => {
  const open = refused({ env: { CHUKCHA_LISTEN: ":8080" } });
  for (
    const words of [
      `CHUKCHA_LISTEN (environment): ":8080" can be reached from other machines`,
      "--tokens-file FILE",
      "127.0.0.1:8080 for this machine alone",
      "--insecure-no-auth",
    ]
  ) assertStringIncludes(open, words);
  for (const listen of ["10.0.0.1:80", "[::]:80", "node-1.example:80"]) {
    assertStringIncludes(refused({ flags: { listen } }), "--tokens-file");
    resolveSettings({ ...NOTHING, flags: { listen, "tokens-file": "t" } });
    resolveSettings({ ...NOTHING, flags: { listen, "insecure-no-auth": true } });
  }
  for (const listen of ["127.0.0.1:80", "127.8.0.1:80", "[::1]:80", "localhost:80"]) {
    resolveSettings({ ...NOTHING, flags: { listen } });
  }
  const peers = "b=http://b:1";
  const alone = refused({ flags: { "tokens-file": "t", peers } });
  assertStringIncludes(alone, `--peers: "b=http://b:1": with --tokens-file, other nodes need a token too`);
  assertStringIncludes(alone, "--cluster-token-file FILE");
  resolveSettings({ ...NOTHING, flags: { "tokens-file": "t", "cluster-token-file": "c", peers } });
  resolveSettings({ ...NOTHING, flags: { "tokens-file": "t", "insecure-no-auth": true, peers } });
  assertEquals(
    refused({ flags: { "tls-cert": "c.pem" } }),
    `--tls-cert: "c.pem" needs --tls-key FILE with it: a certificate and its key are a pair`,
  );
  assertStringIncludes(refused({ flags: { "tls-key": "k.pem" } }), "needs --tls-cert FILE");
});

Deno.test("resolveSettings never quotes what may be a token", () => {
  const token = "3b1f0c4e8a5d92763b1f0c4e8a5d9276";
  const messages = [
    refused({ env: { CHUKCHA_TOKNE: token } }),
    refused({ env: { CHUKCHA_CLUSTER_TOKEN: token } }),
    refused({ configText: JSON.stringify({ token }) }),
    refused({ flags: { peers: `b=http://:${token}@b:1` } }),
    refused({ flags: { peers: `http://${token}@b:1` } }),
  ];
  for (const message of messages) assertEquals(message.includes(token), false, message);
});

Deno.test("resolveSettings tells what an unknown name was meant to be", () => {
  assertEquals(
    refused({ flags: { "data-dri": "x" } }),
    "--data-dri: no such flag (did you mean --data-dir?)",
  );
  assertEquals(
    refused({ env: { CHUKCHA_DATADIR: "x" } }),
    `CHUKCHA_DATADIR (environment): "x" sets nothing: no such setting (did you mean CHUKCHA_DATA_DIR?)`,
  );
  assertEquals(
    refused({ configText: `{"data-dir": "x"}` }),
    "data-dir (config file): no such setting (did you mean data_dir?)",
  );
  assertEquals(refused({ flags: { "colour": "x" } }), "--colour: no such flag");
});

Deno.test("resolveSettings leaves the environment of others alone", () => {
  const env = {
    CHUKCHA_CONFIG: "f.json",
    CHUKCHA_SERVER: "http://other",
    CHUKCHA_TOKEN: "secret",
    CHUKCHA_CA: "ca.pem",
    HOME: "/root",
    // What Kubernetes sets beside a Service of the name "chukcha".
    CHUKCHA_SERVICE_HOST: "10.0.0.1",
    CHUKCHA_SERVICE_PORT_HTTP: "80",
    CHUKCHA_PORT: "tcp://10.0.0.1:80",
    CHUKCHA_PORT_80_TCP_ADDR: "10.0.0.1",
    CHUKCHA_HEADLESS_SERVICE_HOST: "10.0.0.1",
  };
  assertEquals(resolveSettings({ ...NOTHING, env }).dataDir, "./chukcha-data");
});

Deno.test("resolveSettings lets a batch be larger than a chunk", () => {
  const flags = { "max-chunk-size": "1KiB", "max-batch-size": "2MiB" };
  assertEquals(resolveSettings({ ...NOTHING, flags }).maxBatchSize, 2 * 1024 * 1024);
});

Deno.test("resolveSettings leaves this node out of its peers, so that one list serves all", () => {
  const peers = "a=http://127.0.0.1:8080,b=http://b:1,c=http://c:1";
  const names = (instance: string) =>
    resolveSettings({ ...NOTHING, flags: { peers, instance, listen: "[::1]:8080" } }).peers.map((peer) =>
      peer.instance
    );
  assertEquals(names("a"), ["b", "c"]);
  assertEquals(names("c"), ["a", "b"]);
  assertEquals(names("d"), ["a", "b", "c"]);
});

Deno.test("resolveSettings bounds the number of other nodes", () => {
  const list = (count: number) =>
    Array.from({ length: count }, (_, i) => `n${i}=http://n:${i + 1}`).join(",");
  assertEquals(resolveSettings({ ...NOTHING, flags: { peers: list(64) } }).peers.length, 64);
  assertEquals(resolveSettings({ ...NOTHING, flags: { peers: list(65), instance: "n3" } }).peers.length, 64);
  assertMatch(refused({ flags: { peers: list(65) } }), /^--peers: .*: 65 other nodes, the most are 64$/);
});

Deno.test("parseListen takes what people write, and formatListen gives it back", () => {
  assertEquals(parseListen(":8080"), { hostname: "0.0.0.0", port: 8080 });
  assertEquals(parseListen("[::1]:0"), { hostname: "::1", port: 0 });
  assertEquals(parseListen("node-1.example:80"), { hostname: "node-1.example", port: 80 });
  for (const text of ["", "8080", "host", "host:", "::1:80", "host:65536", "http://host:80", "host:80/x"]) {
    assertEquals(parseListen(text), undefined, text);
  }
  for (const text of ["127.0.0.1:8080", "[::1]:8080", "[fe80::1]:0"]) {
    assertEquals(formatListen(parseListen(text)!), text);
  }
});

Deno.test("instanceFromHostname always gives a legal instance", () => {
  assertEquals(instanceFromHostname("mail.example.com"), "mail-example-com");
  assertEquals(instanceFromHostname("…"), "chukcha");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => isInstance(instanceFromHostname(name))));
});

Deno.test("parseSize and parseDuration take the usual spellings, and what their formatters write", () => {
  for (
    const text of ["64MiB", "64mib", "64mb", "64M", "64 MB", "67108864", "65536k", "0.0625g", "67108864B"]
  ) {
    assertEquals(parseSize(text), 67_108_864, text);
  }
  for (const text of ["", "MiB", "-1", "1e3", "64MiBs", "0.3B", "1,5MiB", "99999999999T"]) {
    assertEquals(parseSize(text), undefined, text);
  }
  for (
    const [text, ms] of [["500ms", 500], ["90s", 90_000], ["10m", 600_000], ["24h", 864e5], ["1d", 864e5]]
  ) {
    assertEquals(parseDuration(text as string), ms);
  }
  for (const text of ["", "10", "s", "-1s", "1y", "0.5ms"]) {
    assertEquals(parseDuration(text), undefined, text);
  }
  assertEquals([0, 1023, 1536, 1 << 20, 150e6].map(formatSize), [
    "0 B",
    "1023 B",
    "1.5 KiB",
    "1 MiB",
    "143 MiB",
  ]);
  assertEquals([5, 1000, 90_000, 36e5, 90e6].map(formatDuration), ["5ms", "1s", "1m 30s", "1h", "1d 1h"]);
});

Deno.test("nearest finds a slip of the finger, and nothing for a stranger", () => {
  const commands = ["serve", "write", "read", "tail", "categories", "chunks"];
  const wanted = {
    tial: "tail",
    wirte: "write",
    red: "read",
    category: "categories",
    chunk: "chunks",
    sevre: "serve",
  };
  for (const [typed, meant] of Object.entries(wanted)) assertEquals(nearest(typed, commands), meant);
  for (const typed of ["", "x", "frobnicate", "delete"]) assertEquals(nearest(typed, commands), undefined);
});

Deno.test("VERSION is the version of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  assertEquals(VERSION, version);
});

/**
 * Files that are read again when they change: tokens and certificates.
 *
 * Files are looked at by time, size and number, every {@linkcode RELOAD_INTERVAL_MS}, and taken once two looks saw the
 * same, so that a file which is being written, or a certificate whose key is still to come, is not taken half. Asked
 * for by a signal, they are taken at once. Events of the file system are not used: they are lost on network
 * file systems and for files that are links, which is how orchestrators swap them.
 *
 * Invariant: what is in force was whole and good when it was read. A file that is not, or that is gone, changes
 * nothing but {@linkcode Reloaded.trouble} and the log.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";
import { RELOAD_INTERVAL_MS, SECRET_FILE_BYTES_MAX } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { CancelTimer, Clock } from "../storage/clock.ts";

/** What is read from files. */
export interface ReloadedOptions<T> {
  /** For the log, as in "the tokens file". */
  readonly what: string;
  /** Setting and path of each file. */
  readonly files: readonly (readonly [setting: string, path: string])[];
  /** Makes something of their texts; throws what is wrong, without quoting any of it. */
  readonly parse: (...texts: string[]) => T;
  /** Those of the paths that nobody else may read: whoever lets them is warned. */
  readonly secret?: (value: T) => readonly string[];
  /** Called with what has come into force after the start. */
  readonly changed?: (value: T) => void;
}

/** Something that is read from files, and again when they change. */
export class Reloaded<T> {
  readonly #options: ReloadedOptions<T>;
  readonly #log: Log;
  #value: T;
  /** What they consisted of. */
  #texts: string;
  /** How the files looked when they were last taken or refused, and at the last look. */
  #judged: string;
  #seen: string;
  #trouble: string | undefined;

  private constructor(options: ReloadedOptions<T>, log: Log, { value, texts }: Loaded<T>, stamp: string) {
    this.#options = options;
    this.#log = log;
    this.#value = value;
    this.#texts = texts;
    this.#judged = stamp;
    this.#seen = stamp;
  }

  /** Reads it for the first time; rejects with what is wrong, for people. */
  static async open<T>(options: ReloadedOptions<T>, log: Log): Promise<Reloaded<T>> {
    const stamp = await stampOf(options);
    const reloaded = new Reloaded(options, log, await load(options), stamp);
    await reloaded.#warnOfReaders();
    return reloaded;
  }

  /** What is in force. */
  get value(): T {
    return this.#value;
  }

  /** Why the files as they are now were not taken, if so. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Looks at the files; takes them if they changed and, unless it is to be `atOnce`, were the same at the last look. */
  async look(atOnce = false): Promise<void> {
    const stamp = await stampOf(this.#options);
    const settled = atOnce || stamp === this.#seen;
    this.#seen = stamp;
    if (!settled || (stamp === this.#judged && !atOnce)) return;
    this.#judged = stamp;
    const { what, changed } = this.#options;
    const paths = this.#options.files.map(([, path]) => path).join(", ");
    let loaded: Loaded<T>;
    try {
      loaded = await load(this.#options);
    } catch (error) {
      this.#trouble = (error as Error).message;
      this.#log.error(`${what} cannot be used as it is now; what was read before stays in force`, {
        path: paths,
        error: this.#trouble,
      });
      return;
    }
    // Another time, or another link, and the same words: nothing has to change for them.
    const same = loaded.texts === this.#texts;
    if (same && this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#texts = loaded.texts;
    if (!same) this.#value = loaded.value;
    this.#log.info(`${what} was read again and is in force`, { path: paths });
    await this.#warnOfReaders();
    if (!same) changed?.(this.#value);
  }

  async #warnOfReaders(): Promise<void> {
    const { what, secret } = this.#options;
    for (const path of secret?.(this.#value) ?? []) {
      const { mode } = await Deno.stat(path).catch(() => ({ mode: null }));
      if (((mode ?? 0) & 0o004) === 0) continue;
      this.#log.warn(`every user of this machine can read ${what}: chmod 600 it`, { path });
    }
  }
}

interface Loaded<T> {
  readonly value: T;
  readonly texts: string;
}

async function load<T>({ files, parse }: ReloadedOptions<T>): Promise<Loaded<T>> {
  const names = files.map(([setting, path]) => `${setting} ${quote(path)}`).join(" and ");
  try {
    const texts = await Promise.all(files.map(([, path]) => read(path)));
    return { value: parse(...texts), texts: texts.join("\0") };
  } catch (cause) {
    throw new Error(`${names}: ${wordsOf(cause)}`, { cause });
  }
}

/** The system's words name the path once more. */
function wordsOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "this process may not read it";
  return error instanceof Error ? error.message : String(error);
}

async function read(path: string): Promise<string> {
  const { size, isDirectory } = await Deno.stat(path);
  if (isDirectory) throw new Error("it is a directory");
  if (size > SECRET_FILE_BYTES_MAX) throw new Error(`${size} bytes, the most are ${SECRET_FILE_BYTES_MAX}`);
  return await Deno.readTextFile(path);
}

async function stampOf({ files }: Pick<ReloadedOptions<unknown>, "files">): Promise<string> {
  const stamps = await Promise.all(files.map(async ([, path]) => {
    try {
      const { dev, ino, size, mtime, ctime } = await Deno.stat(path);
      return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join();
    } catch (error) {
      return (error as Error).name;
    }
  }));
  return stamps.join(" ");
}

/** Looks at files for as long as a node runs. */
export class Reloader {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #intervalMs: number;
  readonly #all: readonly Pick<Reloaded<unknown>, "look">[];
  #cancel: CancelTimer = () => {};
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    all: readonly Pick<Reloaded<unknown>, "look">[],
    clock: Clock,
    log: Log,
    intervalMs = RELOAD_INTERVAL_MS,
  ) {
    this.#all = all;
    this.#clock = clock;
    this.#log = log;
    this.#intervalMs = intervalMs;
    this.#later();
  }

  /** Looks now, and takes what changed at once. */
  now(): Promise<void> {
    return this.#looking = this.#looking.then(() => this.#look(true));
  }

  /** Looks no more; resolves when the last look has ended. */
  close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    return this.#looking;
  }

  #later(): void {
    if (this.#all.length === 0) return;
    this.#cancel = this.#clock.after(this.#intervalMs, () => {
      this.#looking = this.#looking.then(() => this.#look(false)).then(() => {
        if (!this.#closed) this.#later();
      });
    });
  }

  async #look(atOnce: boolean): Promise<void> {
    for (const reloaded of this.#all) {
      if (this.#closed) return;
      // Whatever goes wrong with one file, the others are looked at, and this one again.
      await reloaded.look(atOnce).catch((error) =>
        this.#log.error("looking for changed files failed; it is done again", { error: String(error) })
      );
    }
  }
}

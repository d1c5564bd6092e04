/**
 * Tests that need a tool, or root, that a machine may lack: they are skipped, and the reason is printed. Under CI,
 * which installs what tests need, a lack is a failure, unless nobody could install it.
 *
 * @module
 */

/** Something of the machine that a test needs. */
export interface Need {
  /** What is needed, in words that make sense after "needs". */
  readonly what: string;
  readonly present: boolean;
  /** Whoever prepares the machine could not add it, as what a container denies to its root: skipped under CI too. */
  readonly given?: true;
}

/** A program on `PATH`. */
export function tool(name: string): Need {
  const directories = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  const suffixes = Deno.build.os === "windows" ? [".exe", ".cmd", ""] : [""];
  const present = directories.some((directory) =>
    suffixes.some((suffix) => directory !== "" && isFile(`${directory}/${name}${suffix}`))
  );
  return { what: `the program ${name}`, present };
}

/** The rights of root on Linux: mounts, loop devices, fault injection. */
export function linuxRoot(): Need {
  return { what: "root on Linux", present: Deno.build.os === "linux" && Deno.uid() === 0 };
}

/** One of these operating systems. */
export function os(...names: (typeof Deno.build.os)[]): Need {
  return { what: names.join(" or "), present: names.includes(Deno.build.os) };
}

/**
 * Registers a test that needs something of the machine.
 *
 * @param name as for `Deno.test`; the reason of a skip is added to it, so that it is printed
 * @param needs all must be present
 * @param fn as for `Deno.test`
 *
 * @example
 * ```ts ignore
 * testWith("fdatasync that fails poisons the file", [tool("strace"), linuxRoot()], async () => {});
 * ```
 */
export function testWith(
  name: string,
  needs: readonly Need[],
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const missing = lacking(needs);
  const addable = lacking(needs.filter(({ given }) => !given));
  if (missing === undefined) Deno.test(name, (t) => telling(fn, t));
  else if (underCi() && addable !== undefined) {
    Deno.test(name, () => Promise.reject(new Error(`CI must have what tests need: ${addable}`)));
  } else Deno.test({ name: `${name} (skipped: ${missing})`, ignore: true, fn });
}

/**
 * Runs a test. When both it and the clean-up after it fail, of which the runner tells no more than that, both are told.
 */
async function telling(
  fn: (t: Deno.TestContext) => void | Promise<void>,
  t: Deno.TestContext,
): Promise<void> {
  try {
    await fn(t);
  } catch (error) {
    if (!(error instanceof SuppressedError)) throw error;
    throw new AggregateError(
      [error.suppressed, error.error],
      "the test failed, and then the clean-up after it",
    );
  }
}

/** Why a test cannot run here; `undefined` if it can. */
export function lacking(needs: readonly Need[]): string | undefined {
  const missing = needs.filter(({ present }) => !present).map(({ what }) => what);
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}`;
}

/** Whether this is a CI run, where nothing may be skipped for a lack. */
export function underCi(): boolean {
  return /^(1|true)$/i.test(Deno.env.get("CI") ?? "");
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * The configurations of `docs/shippers.md`, as they stand there: what is tested is what people copy.
 *
 * @module
 */
/** The page. */
export const PAGE = new URL("../../docs/shippers.md", import.meta.url);

/** Addresses that stand for nodes on the page. */
export const NODE_1 = "http://node-1.example:8080";
export const NODE_2 = "http://node-2.example:8080";

/**
 * A block of the page, by its first line, with parts of it replaced; throws if the block or a part is not there.
 *
 * @param replaced what stands on the page, and what a test needs in its place
 */
export async function blockOf(
  firstLine: string,
  replaced: Readonly<Record<string, string>>,
): Promise<string> {
  const page = await Deno.readTextFile(PAGE);
  const blocks = Array.from(page.matchAll(/^```\w*\n([\s\S]*?)^```$/gm), ([, text]) => text!);
  const block = blocks.find((text) => text.startsWith(`${firstLine}\n`));
  if (block === undefined) throw new Error(`docs/shippers.md has no block that begins with ${firstLine}`);
  let text = block;
  for (const [from, to] of Object.entries(replaced)) {
    if (!text.includes(from)) throw new Error(`${firstLine}: does not say ${from} any more`);
    text = text.replaceAll(from, to);
  }
  return text;
}

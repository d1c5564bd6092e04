/**
 * Packs a few files as `.tar.gz`, the same bytes for the same files: no times, no owners, so that a checksum says
 * whether a build is the same.
 *
 * ```text
 * offset  0        100    108    116    124     136     148       156   257      263      500  512
 *         path     mode   uid    gid    size    mtime   checksum  type  "ustar"  ...      zeros
 * ```
 *
 * @module
 */

/** A file to pack. */
export interface PackedFile {
  /** At most 100 bytes, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mode: number;
}

const BLOCK_BYTES = 512;
const PATH_BYTES_MAX = 100;

/** The files as a compressed archive. */
export async function packTarGz(files: readonly PackedFile[]): Promise<Uint8Array<ArrayBuffer>> {
  const blocks = files.flatMap((file) => [header(file), file.bytes, padding(file.bytes.length)]);
  const end = new Uint8Array(2 * BLOCK_BYTES);
  const stream = new Blob([...blocks, end]).stream().pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream).bytes();
}

function header({ path, bytes, mode }: PackedFile): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (offset: number, text: string): void => block.set(new TextEncoder().encode(text), offset);
  if (new TextEncoder().encode(path).length > PATH_BYTES_MAX) {
    throw new Error(`${path}: too long a path for tar`);
  }
  put(0, path);
  put(100, `${octal(mode, 7)}\0`);
  put(108, `${octal(0, 7)}\0${octal(0, 7)}\0`);
  put(124, `${octal(bytes.length, 11)}\0${octal(0, 11)}\0`);
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\0" + "00");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return block;
}

function padding(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array((BLOCK_BYTES - length % BLOCK_BYTES) % BLOCK_BYTES);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

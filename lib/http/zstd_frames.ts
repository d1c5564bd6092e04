/**
 * Where the frames of zstd data begin and end.
 *
 * Owns: the walk over frame and block headers, nothing of their contents. It is here because `zstdDecompressSync`
 * decodes only the first frame, and takes data that is cut short for a shorter whole: either would lose messages that
 * were answered with 200. Refuses: bytes that are no frame, and a last frame that is not all there.
 *
 * ```text
 * frame      28 b5 2f fd | descriptor | window 0-1 | dictionary 0,1,2,4 | content size 0,1,2,4,8 | blocks | checksum 0,4
 * block      3 bytes, little endian: last (1 bit), type (2 bits: raw, run, compressed, -), size (21 bits) | content
 * skippable  5x 2a 4d 18 | size (4 bytes) | content
 * ```
 *
 * @module
 */
import { ZSTD_FRAMES_MAX } from "../protocol/limits.ts";

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Why bytes are not a sequence of whole zstd frames. */
export type ZstdDamage = "damaged" | "cut short" | "in too many frames";

/** The frames that hold content, in order; or what is wrong with the bytes. */
export function splitZstdFrames(bytes: Uint8Array): Uint8Array[] | ZstdDamage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array[] = [];
  let skipped = 0;
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 5) return "cut short";
    const magic = view.getUint32(at, true);
    let end: number;
    if (magic === MAGIC) {
      end = frameEnd(view, at);
      if (end > bytes.length) return "cut short";
      if (end < 0) return "damaged";
      frames.push(bytes.subarray(at, end));
    } else if ((magic & 0xfffffff0) === SKIPPABLE_MAGIC) {
      if (bytes.length - at < 8) return "cut short";
      end = at + 8 + view.getUint32(at + 4, true);
      if (end > bytes.length) return "cut short";
      skipped++;
    } else {
      return "damaged";
    }
    if (frames.length + skipped > ZSTD_FRAMES_MAX) return "in too many frames";
    at = end;
  }
  return frames;
}

/** Offset behind the frame at `at`: past the end of the bytes if it is cut short, -1 if it is damaged. */
function frameEnd(view: DataView, at: number): number {
  const descriptor = view.getUint8(at + 4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const windowBytes = singleSegment ? 0 : 1;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const checksumBytes = (descriptor & 4) !== 0 ? 4 : 0;
  at += 5 + windowBytes + dictionaryBytes + sizeBytes;
  for (let last = false; !last;) {
    if (at + 3 > view.byteLength) return Infinity;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const type = (header >> 1) & 3;
    if (type === 3) return -1;
    last = (header & 1) === 1;
    at += 3 + (type === 1 ? 1 : header >> 3);
  }
  return at + checksumBytes;
}

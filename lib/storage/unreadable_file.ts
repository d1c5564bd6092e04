/**
 * A file without which a category cannot be served: a start that meets it is refused.
 *
 * @module
 */

/** Which file of the category's directory it is, and what to do about it. */
export class UnreadableFileError extends SyntaxError {
  override readonly name = "UnreadableFileError";
  constructor(readonly file: string, readonly advice: string, cause: SyntaxError) {
    super(cause.message, { cause });
  }
}

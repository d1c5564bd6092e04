// Types of the part of @std/streams that is used here; the sources are the standard library's own.

/** Lines without their ends, `\n` or `\r\n`. */
export class TextLineStream extends TransformStream<string, string> {}

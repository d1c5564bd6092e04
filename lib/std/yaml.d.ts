// Types of the part of @std/yaml that is used here; the sources are the standard library's own.

/** Anchors are resolved and `<<` is merged. */
export function parse(content: string): unknown;

/**
 * The floor that a node is measured against: what `Deno.serve` alone can do for the same requests. It reads the same
 * body and answers the same JSON, or serves as many bytes from memory; it parses no parameter, checks nothing and stores
 * nothing. It stays as it is, so that ratios can be compared, although a node has faster ways for large bodies by now.
 *
 * Started as a process of its own: `floor.ts BYTES`, where BYTES is the size of a read's answer.
 *
 * @module
 */

/** Up to here one call takes a body fastest; a 1 MiB body copied part by part into one buffer is 1.2 to 2 times as fast. */
const WHOLE_BODY_BYTES_MAX = 256 * 1024;
/** Up to here a Response over the buffer is fastest; 4 MiB pulled in steps are as fast, and take less memory. */
const WHOLE_ANSWER_BYTES_MAX = 1024 * 1024;
const STEP_BYTES = 1024 * 1024;

const answer = new Uint8Array(Number(Deno.args[0] ?? "0")).fill(0x6d);
const headers = { "content-type": "application/octet-stream" };
let offset = 0;

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => void Deno.stdout.writeSync(new TextEncoder().encode(`http://127.0.0.1:${port}\n`)),
}, async (request) => {
  if (request.method === "GET") return read();
  const declared = Number(request.headers.get("content-length"));
  const body = declared <= WHOLE_BODY_BYTES_MAX ? await request.bytes() : await readInto(request, declared);
  const start = offset;
  offset += body.length;
  return Response.json({ chunk: "floor-chunk000000000", offset: start, size: body.length });
});

function read(): Response {
  if (answer.length <= WHOLE_ANSWER_BYTES_MAX) return new Response(answer, { headers });
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller): void {
      controller.enqueue(answer.subarray(sent, sent + STEP_BYTES));
      sent += STEP_BYTES;
      if (sent >= answer.length) controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(stream, { headers: { ...headers, "content-length": String(answer.length) } });
}

async function readInto(request: Request, declared: number): Promise<Uint8Array> {
  const whole = new Uint8Array(declared);
  const reader = request.body!.getReader();
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    whole.set(part.value, length);
    length += part.value.length;
  }
  return whole;
}

await server.finished;

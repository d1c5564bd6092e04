/**
 * The checker is checked: planted losses, inventions, cuts and doubles are told.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Book, message, parseMessage } from "./book.ts";

Deno.test("parseMessage knows whole messages, and no cut or changed one", () => {
  const whole = message(3, 17, 60);
  assertEquals([whole.length, parseMessage(whole)], [60, { writer: 3, number: 17 }]);
  for (let cut = 0; cut < whole.length; cut++) assertEquals(parseMessage(whole.slice(0, cut)), undefined);
  assertEquals(parseMessage(whole.replace("p", "")), undefined);
  assertEquals(parseMessage(whole.replace("17", "18")), undefined);
});

Deno.test("Book.complaints tells what is lost, refused and there, cut, doubled, disordered or invented", () => {
  const book = new Book();
  book.sending(1, [0, 1], 20);
  book.answered(1, [0, 1], "ok");
  book.sending(1, [2], 20);
  book.answered(1, [2], "no");
  book.sending(1, [3], 20);
  const m = (number: number) => message(1, number, 20);
  const complaints = (...lines: string[]) => book.complaints([{ name: "c", lines }]).length;
  assertEquals(complaints(m(0), m(1)), 0);
  assertEquals(complaints(m(0), m(1), m(3)), 0);
  assertEquals(complaints(m(0)), 1);
  assertEquals(complaints(m(0), m(1), m(2)), 1);
  assertEquals(complaints(m(1), m(0)), 1);
  assertEquals(complaints(m(0), m(0), m(1)), 2);
  assertEquals(complaints(m(0), m(1), m(4)), 1);
  assertEquals(complaints(m(0), m(1), m(3).slice(1)), 1);
});

Deno.test("Book.answered never turns maybe into no", () => {
  const book = new Book();
  book.sending(1, [0], 20);
  book.answered(1, [0], "maybe");
  book.sending(1, [0], 20);
  book.answered(1, [0], "no");
  assertEquals(book.count("maybe"), 1);
  book.sending(1, [0], 20);
  book.answered(1, [0], "ok");
  assertEquals(book.complaints([{ name: "c", lines: Array(3).fill(message(1, 0, 20)) }]), []);
});

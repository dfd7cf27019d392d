/**
 * How wide a string is on a terminal: wide characters (CJK, emoji) take two columns, combining ones none.
 *
 * Texts are measured and cut by grapheme, so that no character is ever torn.
 */

/** Cut texts end with this. */
const ELLIPSIS = "…";

const WIDE =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hangul}|[\u3000-\u31ff\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u;

const EMPTY = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** How many columns `text` takes; it must have no control characters. */
export function textWidth(text: string): number {
  if (isAscii(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** `text` itself when it takes at most `width` columns (1 or more), else its beginning and an ellipsis. */
export function cutText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let [kept, used] = ["", 0];
  for (const { segment } of graphemes.segment(text)) {
    used += graphemeWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return kept + ELLIPSIS;
}

/** `text` with spaces behind it, to take `width` columns. */
export function padText(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

function isAscii(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(text);
}

function graphemeWidth(grapheme: string): number {
  if (EMPTY.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

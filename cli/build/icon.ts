/**
 * The icon of the Windows binary: a white H on blue, drawn here, so that no picture has to be kept.
 */

const SIZE = 32;
const HEADER_BYTES = 6 + 16;
const BITMAP_HEADER_BYTES = 40;
const PIXEL_BYTES = SIZE * SIZE * 4;
/** One bit a pixel, lines padded to four bytes; all zero, as the pixels carry their own transparency. */
const MASK_BYTES = SIZE * 4;

const BLUE = [0xc8, 0x5a, 0x1e, 0xff];
const WHITE = [0xff, 0xff, 0xff, 0xff];
const CLEAR = [0, 0, 0, 0];

/** An .ico file with one picture of 32 by 32 pixels. */
export function windowsIcon(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + BITMAP_HEADER_BYTES + PIXEL_BYTES + MASK_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, 1, true); // an icon
  view.setUint16(4, 1, true); // one picture
  bytes.set([SIZE, SIZE, 0, 0, 1, 0, 32, 0], 6);
  view.setUint32(14, bytes.length - HEADER_BYTES, true);
  view.setUint32(18, HEADER_BYTES, true);
  view.setUint32(22, BITMAP_HEADER_BYTES, true);
  view.setInt32(26, SIZE, true);
  view.setInt32(30, SIZE * 2, true); // the picture and its mask
  view.setUint16(34, 1, true);
  view.setUint16(36, 32, true);
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const at = HEADER_BYTES + BITMAP_HEADER_BYTES + ((SIZE - 1 - y) * SIZE + x) * 4;
      bytes.set(colourAt(x, y), at);
    }
  }
  return bytes;
}

/** Blue, green, red, alpha. */
function colourAt(x: number, y: number): readonly number[] {
  if (isCorner(x, y)) return CLEAR;
  const isStem = y >= 7 && y < 25 && ((x >= 8 && x < 13) || (x >= 19 && x < 24));
  const isBar = y >= 14 && y < 18 && x >= 8 && x < 24;
  return isStem || isBar ? WHITE : BLUE;
}

function isCorner(x: number, y: number): boolean {
  const edge = (at: number): number => Math.min(at, SIZE - 1 - at);
  return edge(x) + edge(y) < 4;
}

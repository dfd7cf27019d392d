/**
 * Thumbnails: PNG in, smaller PNG out, in plain JavaScript.
 *
 * Each pixel of the thumbnail is the mean of the pixels it covers (a box filter).
 */
import { convertIndexedToRgb, decode, type DecodedPng, encode } from "fast-png";

/** A picture whose pixels are `channels` samples each, row by row. */
interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly depth: 8 | 16;
  readonly samples: Uint8Array | Uint16Array;
}

/** A finished thumbnail. */
export interface Thumbnail {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * A copy of `png` whose longer side has at most `size` pixels; a smaller picture keeps its size.
 *
 * @throws Error when `png` is not a PNG, or has fewer than 8 bits per sample and no palette.
 */
export function makeThumbnail(png: Uint8Array, size: number): Thumbnail {
  const picture = toPicture(decode(png));
  const scale = Math.min(1, size / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const data = shrink(picture, width, height);
  const { channels, depth } = picture;
  return { png: encode({ width, height, data, channels, depth }), width, height };
}

function toPicture(decoded: DecodedPng): Picture {
  const { width, height, depth, channels, data } = decoded;
  if (decoded.palette !== undefined) {
    const samples = convertIndexedToRgb(decoded);
    return { width, height, channels: samples.length / (width * height), depth: 8, samples };
  }
  if (depth === 16) return { width, height, channels, depth, samples: Uint16Array.from(data) };
  if (depth === 8) return { width, height, channels, depth, samples: Uint8Array.from(data) };
  throw new Error(`${depth} bits per sample are not supported`);
}

function shrink(picture: Picture, width: number, height: number): Uint8Array | Uint16Array {
  const { channels } = picture;
  const length = width * height * channels;
  const target = picture.depth === 16 ? new Uint16Array(length) : new Uint8Array(length);
  for (let y = 0; y < height; y++) {
    const rows = covered(y, height, picture.height);
    for (let x = 0; x < width; x++) {
      const columns = covered(x, width, picture.width);
      for (let channel = 0; channel < channels; channel++) {
        target[(y * width + x) * channels + channel] = mean(picture, { rows, columns, channel });
      }
    }
  }
  return target;
}

/** Which source pixels, from `from` up to `to`, target pixel `index` of `targetCount` covers. */
function covered(index: number, targetCount: number, sourceCount: number): Span {
  const from = Math.floor(index * sourceCount / targetCount);
  return {
    from,
    to: Math.max(from + 1, Math.floor((index + 1) * sourceCount / targetCount)),
  };
}

interface Span {
  readonly from: number;
  readonly to: number;
}

interface Box {
  readonly rows: Span;
  readonly columns: Span;
  readonly channel: number;
}

function mean({ samples, width, channels }: Picture, { rows, columns, channel }: Box): number {
  let sum = 0;
  for (let y = rows.from; y < rows.to; y++) {
    for (let x = columns.from; x < columns.to; x++) {
      sum += samples[(y * width + x) * channels + channel] ?? 0;
    }
  }
  return Math.round(sum / ((rows.to - rows.from) * (columns.to - columns.from)));
}

/**
 * Frames: how a journal's records stand in bytes. `DESIGN.md` beside this file draws them.
 *
 * A frame is accepted only when its header and its payload both match their checksums, so a frame is either whole or
 * it is not one.
 */
import { crc32 } from "./crc32.ts";

/** Bytes before the payload. */
export const FRAME_HEADER_BYTES = 32;

/** The longest payload: a sanity bound on a length that was read, and on a transaction. */
export const PAYLOAD_MAX_BYTES = 256 * 1024 * 1024;

/** `commit` carries row images; `seal` says that the next segment goes on. */
export type FrameKind = "commit" | "seal";

const MAGIC: Readonly<Record<FrameKind, number>> = { commit: 0x48465243, seal: 0x48465253 };

/** How both magics begin. */
const [FIRST_BYTE, SECOND_BYTE] = [0x48, 0x46];

/** One record of a journal. */
export interface Frame {
  readonly kind: FrameKind;
  /** 1 for a queue's first record, then one more for each. */
  readonly sequence: number;
  /** The last record that the writer knew to be durable when it wrote this one. */
  readonly durableSequence: number;
  readonly payload: Uint8Array;
}

/** The bytes of a frame. */
export function encodeFrame(frame: Frame): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + frame.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC[frame.kind]);
  view.setUint32(4, frame.payload.length);
  view.setBigUint64(8, BigInt(frame.sequence));
  view.setBigUint64(16, BigInt(frame.durableSequence));
  view.setUint32(24, crc32(frame.payload));
  view.setUint32(28, crc32(bytes.subarray(0, 28)));
  bytes.set(frame.payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** A frame's header, once its checksum has been verified. */
export interface FrameHeader extends Omit<Frame, "payload"> {
  readonly payloadBytes: number;
  readonly payloadCrc: number;
}

/** The header at `offset` of `bytes`, or `undefined` when there is none that matches its checksum. */
export function decodeHeader(bytes: Uint8Array, offset: number): FrameHeader | undefined {
  if (bytes.length - offset < FRAME_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, FRAME_HEADER_BYTES);
  const magic = view.getUint32(0);
  if (magic !== MAGIC.commit && magic !== MAGIC.seal) return undefined;
  if (view.getUint32(28) !== crc32(bytes.subarray(offset, offset + 28))) return undefined;
  const payloadBytes = view.getUint32(4);
  if (payloadBytes > PAYLOAD_MAX_BYTES) return undefined;
  return {
    kind: magic === MAGIC.seal ? "seal" : "commit",
    sequence: Number(view.getBigUint64(8)),
    durableSequence: Number(view.getBigUint64(16)),
    payloadBytes,
    payloadCrc: view.getUint32(24),
  };
}

/** The whole frame at `offset` of `bytes`, or `undefined` when there is none. */
export function decodeFrame(bytes: Uint8Array, offset: number): Frame | undefined {
  const header = decodeHeader(bytes, offset);
  if (header === undefined) return undefined;
  const from = offset + FRAME_HEADER_BYTES;
  if (bytes.length - from < header.payloadBytes) return undefined;
  const payload = bytes.subarray(from, from + header.payloadBytes);
  if (crc32(payload) !== header.payloadCrc) return undefined;
  const { kind, sequence, durableSequence } = header;
  return { kind, sequence, durableSequence, payload };
}

/** The first place from `from` on at which a frame may begin, by its first two bytes; -1 when there is none. */
export function findFrameStart(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(FIRST_BYTE, from);
  while (at >= 0 && bytes[at + 1] !== SECOND_BYTE) at = bytes.indexOf(FIRST_BYTE, at + 1);
  return at;
}

/** How many bytes a frame takes. */
export function frameBytes(frame: Frame): number {
  return FRAME_HEADER_BYTES + frame.payload.length;
}

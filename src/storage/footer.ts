/**
 * Footers: what stands behind the last page of a snapshot or a backup. `DESIGN.md` beside this file draws them.
 *
 * A footer says whose the file is and which records it includes, so that this is known without reading all of it.
 */
import { fromHex, toHex } from "../domain/hex.ts";
import { crc32 } from "./crc32.ts";
import { SNAPSHOT_MARK } from "./storage.ts";

/** Bytes after the last page. */
export const FOOTER_BYTES = 40;

/** The part of them that the checksum does not cover, and all that there is in files of older versions. */
export const TAIL_BYTES = 16;

const MAGIC = new TextEncoder().encode(SNAPSHOT_MARK);

/** What a file is, by its last four bytes; the two of older versions do not say whose it is. */
const MARKS = {
  oldSnapshot: Uint8Array.of(0, 0, 0, 0),
  oldBackup: new TextEncoder().encode("BKUP"),
  snapshot: new TextEncoder().encode("SNAP"),
  backup: new TextEncoder().encode("BACK"),
};

type Kind = keyof typeof MARKS;

/** What a snapshot says of itself. */
export interface SnapshotIdentity {
  readonly queueId: string;
  /** The last record that it includes. */
  readonly sequence: number;
}

/** What the last bytes of a file say. */
export interface Footer {
  readonly isBackup: boolean;
  /** Of everything before the tail. */
  readonly crc: number;
  readonly identity: SnapshotIdentity | undefined;
}

/** The footer at the end of `bytes`, which are a file or the last `FOOTER_BYTES` of one; `undefined` when there is none. */
export function decodeFooter(bytes: Uint8Array): Footer | undefined {
  const tail = bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES));
  const kind = (Object.keys(MARKS) as Kind[]).find((kind) =>
    MARKS[kind].every((byte, i) => tail[12 + i] === byte)
  );
  if (kind === undefined || !MAGIC.every((byte, i) => tail[i] === byte)) return undefined;
  const isBackup = kind === "backup" || kind === "oldBackup";
  const crc = new DataView(tail.buffer, tail.byteOffset).getUint32(8);
  if (kind === "oldSnapshot" || kind === "oldBackup") return { isBackup, crc, identity: undefined };
  const at = bytes.length - FOOTER_BYTES;
  if (at < 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FOOTER_BYTES);
  const queueId = toHex(bytes.subarray(at, at + 16));
  return { isBackup, crc, identity: { queueId, sequence: Number(view.getBigUint64(16)) } };
}

/** The footer of pages whose checksum is `pagesCrc`. */
export function encodeFooter(
  kind: "snapshot" | "backup",
  { queueId, sequence }: SnapshotIdentity,
  pagesCrc: number,
): Uint8Array {
  const footer = new Uint8Array(FOOTER_BYTES);
  const view = new DataView(footer.buffer);
  const tailAt = FOOTER_BYTES - TAIL_BYTES;
  footer.set(fromHex(queueId), 0);
  view.setBigUint64(16, BigInt(sequence));
  footer.set(MAGIC, tailAt);
  view.setUint32(tailAt + 8, crc32(footer.subarray(0, tailAt), pagesCrc));
  footer.set(MARKS[kind], tailAt + 12);
  return footer;
}

/**
 * Addresses: which of them are on the public internet. Anything in doubt is not.
 */

/** The IPv4 networks that are not public, as address and length of the prefix. */
const NOT_PUBLIC_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

/** Whether `address`, an IPv4 or IPv6 address, is on the public internet. */
export function isPublicAddress(address: string): boolean {
  const v4 = readV4(address);
  if (v4 !== undefined) return isPublicV4(v4);
  const groups = readV6(address);
  return groups !== undefined && isPublicV6(groups);
}

function isPublicV4(bits: number): boolean {
  return !NOT_PUBLIC_V4.some(([network, length]) => {
    const shift = 32 - length;
    return (bits >>> shift) === (readV4(network)! >>> shift);
  });
}

/** Only 2000::/3 is given out; of that, documentation, Teredo and 6to4 lead elsewhere, and so may embedded IPv4. */
function isPublicV6(groups: readonly number[]): boolean {
  const [first, second] = groups as [number, number];
  if ((first & 0xe000) !== 0x2000) return false;
  if (first === 0x2002 || first === 0x3fff) return false;
  return !(first === 0x2001 && (second < 0x200 || second === 0xdb8));
}

function readV4(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  const parts = text.split(".").map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((bits, part) => (bits << 8 | part) >>> 0, 0);
}

/** The eight groups; a zone (`%eth0`) makes it none. */
function readV6(text: string): number[] | undefined {
  const url = /^[0-9a-f:.]+$/i.test(text) ? URL.parse(`http://[${text}]/`) : null;
  if (url === null) return undefined;
  const [head = "", tail] = url.hostname.slice(1, -1).split("::");
  const groupsOf = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  return [...before, ...Array(8 - before.length - after.length).fill(0), ...after];
}

/**
 * The order of texts by their characters' numbers, which is that of their bytes in UTF-8: as SQLite and PostgreSQL's collation "C" have it.
 */

/** Below 0 when `a` comes first, above 0 when `b` does, 0 for the same text. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

/** Characters of two units, whose units are from 0xd800 to 0xdfff, come after all of one. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/**
 * The files of the dashboard: strings, so that they are part of every build. Their paths hold the hash of their content, so a
 * browser keeps them for ever and has the new ones at once.
 */
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1b6e5a"/><path d="M4 3v10M12 3v10M4 8h8" stroke="#fff" stroke-width="2.4" fill="none"/></svg>`;

/** FNV-1a, 32 bits: it names a version and guards nothing. https://www.rfc-editor.org/rfc/rfc9923 */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

const FOLDER = `/assets/${hashOf(STYLE + SCRIPT + ICON)}`;

export const STYLE_PATH = `${FOLDER}/style.css`;
export const SCRIPT_PATH = `${FOLDER}/script.js`;
export const ICON_PATH = `${FOLDER}/icon.svg`;

/** A file as it is served. */
export interface Asset {
  readonly type: string;
  readonly text: string;
}

/** Every file, by its path below the prefix. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  [STYLE_PATH, { type: "text/css; charset=utf-8", text: STYLE }],
  [SCRIPT_PATH, { type: "text/javascript; charset=utf-8", text: SCRIPT }],
  [ICON_PATH, { type: "image/svg+xml", text: ICON }],
]);

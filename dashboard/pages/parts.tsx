/** @jsxImportSource hono/jsx */
/**
 * Parts of pages that several pages have: times, statuses, JSON, forms.
 *
 * No part writes a `style` attribute or a script: the content security policy would refuse them.
 */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import type { TaskStatus } from "../../src/core.ts";
import type { Viewer } from "../options.ts";
import { duration, relative, short, visible } from "../text.ts";

/** A part of a page. */
export type Html = JSX.Element;

/** A text of somebody else's, which may run in either direction. */
export function Text({ of, max = 200 }: { readonly of: string; readonly max?: number }): Html {
  return <bdi title={of.length > max ? short(of, 1000) : undefined}>{short(of, max)}</bdi>;
}

/** An instant: how long ago, and exactly. */
export function Time({ at, nowMs }: { readonly at: Date | null; readonly nowMs: number }): Html {
  if (at === null) return <span>–</span>;
  const exact = at.toISOString();
  return <time datetime={exact} title={exact}>{relative(at, nowMs)}</time>;
}

/** A duration, with the exact number. */
export function Duration({ ms }: { readonly ms: number | null }): Html {
  return <span title={ms === null ? undefined : `${ms} ms`}>{duration(ms)}</span>;
}

/** The shape of each status. */
export const SHAPES: Readonly<Record<TaskStatus, string>> = {
  queued: "○",
  leased: "◐",
  completed: "●",
  failed: "✕",
  cancelled: "⊘",
};

/** A status, by shape and word. */
export function Status({ of }: { readonly of: TaskStatus }): Html {
  return (
    <span class={`status ${of}`}>
      <span aria-hidden="true">{SHAPES[of]}</span> {of}
    </span>
  );
}

/** A link to a task. */
export function TaskLink(
  { id, viewer, label }: { readonly id: number; readonly viewer: Viewer; readonly label?: string },
): Html {
  return <a href={`${viewer.prefix}/tasks/${id}`}>{label ?? `#${id}`}</a>;
}

/** A link to the tasks that a filter leaves. */
export function TasksLink(
  { filter, viewer, children }: {
    readonly filter: Readonly<Record<string, string>>;
    readonly viewer: Viewer;
    readonly children?: Child;
  },
): Html {
  return <a href={`${viewer.prefix}/tasks?${new URLSearchParams(filter)}`}>{children}</a>;
}

interface ActionProps {
  readonly viewer: Viewer;
  /** Below the prefix. */
  readonly path: string;
  readonly label: string;
  /** What the button does, where the label alone would be the same for many. */
  readonly title?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly isGrave?: boolean;
}

/** A button that does something: a form, so that it needs no script. */
export function Action({ viewer, path, label, title, fields = {}, isGrave }: ActionProps): Html {
  return (
    <form method="post" action={`${viewer.prefix}${path}`} class="act">
      {Object.entries(fields).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      <input type="hidden" name="back" value={viewer.here} />
      <button
        type="submit"
        class={isGrave ? "grave" : undefined}
        title={title && visible(title)}
        aria-label={title && visible(title)}
      >
        {label}
      </button>
    </form>
  );
}

/** So many characters of a value are shown on a page. */
const SHOWN_MAX = 16 * 1024;

/** What JSON is made of. */
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g;

/** A JSON value, with its parts in colours; what is very long is cut, with a link to all of it. */
export function Json({ value, whole }: { readonly value: unknown; readonly whole?: string }): Html {
  const text = JSON.stringify(value, null, 2) ?? "null";
  const isCut = text.length > SHOWN_MAX;
  return (
    <>
      <pre
        class="json"
        tabindex={0}
      ><code>{coloured(isCut ? text.slice(0, SHOWN_MAX) : text)}</code></pre>
      {isCut && (
        <p class="dim">
          {`The first ${SHOWN_MAX} of ${text.length} characters. `}
          {whole !== undefined && <a href={whole}>All of it</a>}
        </p>
      )}
    </>
  );
}

function coloured(text: string): Child[] {
  const parts: Child[] = [];
  let from = 0;
  for (const match of text.matchAll(TOKENS)) {
    if (match.index > from) parts.push(visible(text.slice(from, match.index)));
    const [whole, string, colon] = match;
    const kind = string === undefined ? "n" : colon === undefined ? "s" : "k";
    parts.push(<span class={kind}>{visible(whole)}</span>);
    from = match.index + whole.length;
  }
  parts.push(visible(text.slice(from)));
  return parts;
}

/** What is shown where there is nothing. */
export function Nothing({ children }: { readonly children?: Child }): Html {
  return <p class="nothing">{children}</p>;
}

/** A table that can be scrolled by itself. */
export function Table(
  { label, head, children }: {
    readonly label: string;
    readonly head: readonly string[];
    readonly children?: Child;
  },
): Html {
  return (
    <div class="scroll" role="region" aria-label={label} tabindex={0}>
      <table>
        <thead>
          <tr>{head.map((title) => <th scope="col">{title}</th>)}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** @jsxImportSource hono/jsx */
/**
 * Pages of one form or one message: signing in, asking before, saying what went wrong.
 */
import type { Child } from "hono/jsx";
import type { Viewer } from "../options.ts";
import type { Html } from "./parts.tsx";
import { Text } from "./parts.tsx";

/** The page that takes a token. */
export function SignInForm(
  { viewer, problem, next }: {
    readonly viewer: Viewer;
    readonly problem?: string;
    /** Where to go then, below the prefix. */
    readonly next: string;
  },
): Html {
  return (
    <form method="post" action={`${viewer.prefix}/sign-in`} class="stack">
      {problem !== undefined && <p class="notice" role="alert">{problem}</p>}
      <p>
        An access token is needed. <code>holdfast token create NAME --scope read</code> makes one.
      </p>
      <input type="hidden" name="next" value={next} />
      <label>
        Token
        <input
          name="token"
          type="password"
          required
          autocomplete="current-password"
          maxlength={500}
          autofocus
        />
      </label>
      <button type="submit">Sign in</button>
    </form>
  );
}

/** Asks before something is done. */
export function Confirm(
  { viewer, path, label, fields, back, isGrave = true, children }: {
    readonly viewer: Viewer;
    readonly path: string;
    readonly label: string;
    readonly fields: Readonly<Record<string, string>>;
    readonly back: string;
    readonly isGrave?: boolean;
    readonly children?: Child;
  },
): Html {
  return (
    <form method="post" action={viewer.prefix + path} class="stack">
      <div>{children}</div>
      {Object.entries(fields).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      <p class="bar">
        <button type="submit" class={isGrave ? "grave" : undefined}>{label}</button>
        <a href={viewer.prefix + back || "/"}>Leave it</a>
      </p>
    </form>
  );
}

/** The field of a task's priority. */
export function PriorityField({ priority }: { readonly priority: number }): Html {
  return (
    <label>
      Priority (1–1000, lower runs first)<input
        name="priority"
        type="number"
        min="1"
        max="1000"
        value={priority}
      />
    </label>
  );
}

/** The field of an instant. */
export function TimeField(
  { label, isRequired = false }: { readonly label: string; readonly isRequired?: boolean },
): Html {
  return (
    <label>
      {`${label}, as 2026-01-31T12:00Z`}
      <input name="run_after" maxlength={40} required={isRequired} />
    </label>
  );
}

/** Says what went wrong, and what to do. */
export function Problem(
  { message, advice }: { readonly message: string; readonly advice: Child },
): Html {
  return (
    <>
      <p class="notice" role="alert">
        <Text of={message} max={2000} />
      </p>
      <p>{advice}</p>
    </>
  );
}

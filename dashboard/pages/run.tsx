/** @jsxImportSource hono/jsx */
/**
 * Running a module by hand: a form made from what its handler says of its parameters, or from its JSON Schema.
 */
import type { HandlerEntry, HandlerRegistry } from "../../src/core.ts";
import { type FormField, formFieldsOf } from "../module_form.ts";
import type { Viewer } from "../options.ts";
import { type Html, Nothing, Table, Text } from "./parts.tsx";
import { PriorityField } from "./small.tsx";
import { NewTaskFields } from "./task.tsx";

export function ModuleList(
  { handlers, viewer }: { readonly handlers: HandlerRegistry; readonly viewer: Viewer },
): Html {
  const entries = handlers.entries();
  return (
    <>
      {entries.length === 0
        ? (
          <Nothing>
            No handler is loaded here. <code>holdfast serve --handlers FILE</code>{" "}
            shows its modules as forms.
          </Nothing>
        )
        : (
          <Table label="Modules" head={["module", "type", "description"]}>
            {entries.map(({ type, name, description }) => (
              <tr>
                <td>
                  <a href={`${viewer.prefix}/run?${new URLSearchParams({ module: type })}`}>
                    <Text of={name} max={80} />
                  </a>
                </td>
                <td>
                  <Text of={type} max={80} />
                </td>
                <td>
                  <Text of={description} max={300} />
                </td>
              </tr>
            ))}
          </Table>
        )}
      <h2>Any task</h2>
      <form method="post" action={`${viewer.prefix}/tasks/new`} class="stack">
        <NewTaskFields type="" payload="{}" priority={100} />
        <button type="submit">Enqueue</button>
      </form>
    </>
  );
}

export function ModuleView(
  { entry, viewer }: { readonly entry: HandlerEntry; readonly viewer: Viewer },
): Html {
  const fields = formFieldsOf(entry);
  return (
    <>
      <p>
        <Text of={entry.description} max={1000} />
      </p>
      <form method="post" action={`${viewer.prefix}/run`} class="stack">
        <input type="hidden" name="module" value={entry.type} />
        {fields === undefined
          ? (
            <label>
              Payload (JSON)<textarea name="payload" spellcheck={false}>{"{}"}</textarea>
            </label>
          )
          : fields.map((field) => <Field field={field} />)}
        <PriorityField priority={100} />
        <button type="submit">Run</button>
      </form>
    </>
  );
}

function Field({ field }: { readonly field: FormField }): Html {
  const { name, label, description, isRequired } = field;
  const at = `p:${name}`;
  return (
    <label>
      <span>
        <Text of={label} />
        {isRequired && " (needed)"}
      </span>
      <Control field={field} at={at} />
      {description !== "" && (
        <span class="dim">
          <Text of={description} max={500} />
        </span>
      )}
    </label>
  );
}

function Control({ field, at }: { readonly field: FormField; readonly at: string }): Html {
  const { kind, value, isRequired } = field;
  if (kind === "boolean") {
    return <input type="checkbox" name={at} value="true" checked={value === "true"} />;
  }
  if (kind === "choice") {
    return (
      <select name={at} required={isRequired}>
        {!isRequired && <option value=""></option>}
        {field.choices.map((each) => (
          <option value={each} selected={each === value}>
            <Text of={each} />
          </option>
        ))}
      </select>
    );
  }
  if (kind === "json") {
    return <textarea name={at} spellcheck={false} required={isRequired}>{value}</textarea>;
  }
  const isNumber = kind === "number" || kind === "integer";
  return (
    <input
      name={at}
      type={isNumber ? "number" : "text"}
      step={kind === "number" ? "any" : undefined}
      min={field.min}
      max={field.max}
      value={value}
      required={isRequired}
    />
  );
}

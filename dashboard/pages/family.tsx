/** @jsxImportSource hono/jsx */
/**
 * The parents and the children of a task: drawn as a graph whose nodes are links, and as tables that say the same and more, page by
 * page.
 */
import type { ChildTask, ParentResult, Task, TaskQueue, TaskStatus } from "../../src/core.ts";
import type { Viewer } from "../options.ts";
import { short } from "../text.ts";
import { type Html, SHAPES, Status, Table, TaskLink, TasksLink, Text } from "./parts.tsx";

/** So many stand in a table at once, and so many of them are drawn. */
const LISTED = 50;
const DRAWN = 8;

/** Which part of a family is shown: how many parents are passed over, and behind which child it begins. */
export interface FamilyPart {
  readonly parentsFrom: number;
  readonly childrenAfter: number;
}

/** What is shown of a family. */
export interface Family {
  readonly parents: readonly ParentResult[];
  readonly children: readonly ChildTask[];
  readonly part: FamilyPart;
  /** Where the next parents and children begin; `null` behind the last ones. */
  readonly nextParents: number | null;
  readonly nextChildren: number | null;
}

/** The part that a query asks for. What makes no sense is passed over. */
export function familyPartOf(query: URLSearchParams): FamilyPart {
  const number = (name: string): number => {
    const text = query.get(name) ?? "";
    return /^\d{1,15}$/.test(text) ? Number(text) : 0;
  };
  return { parentsFrom: number("parents_from"), childrenAfter: number("children_after") };
}

/** Reads a part of the family of a task. */
export async function readFamily(queue: TaskQueue, id: number, part: FamilyPart): Promise<Family> {
  const { parentsFrom, childrenAfter } = part;
  const [parents, found] = await Promise.all([
    queue.parentResults(id, { offset: parentsFrom, limit: LISTED }),
    queue.children(id, { afterId: childrenAfter, limit: LISTED + 1 }),
  ]);
  const children = found.slice(0, LISTED);
  const parentsEnd = parentsFrom + parents.length;
  const isMore = parents.length > 0 &&
    (await queue.parentResults(id, { offset: parentsEnd, limit: 1 })).length > 0;
  return {
    ...{ parents, children, part },
    nextParents: isMore ? parentsEnd : null,
    nextChildren: found.length > LISTED ? children.at(-1)!.taskId : null,
  };
}

interface FamilyProps {
  readonly family: Family;
  readonly task: Task;
  readonly viewer: Viewer;
}

export function FamilyView({ family, task, viewer }: FamilyProps): Html | null {
  const { parents, children, part } = family;
  const isAlone = parents.length + children.length + part.parentsFrom + part.childrenAfter === 0;
  if (isAlone) return null;
  return (
    <>
      <h2>Parents and children</h2>
      <div class="scroll" role="region" aria-label="Graph of parents and children" tabindex={0}>
        <Graph family={family} task={task} viewer={viewer} />
      </div>
      {(parents.length > 0 || part.parentsFrom > 0) && (
        <Parents family={family} task={task} viewer={viewer} />
      )}
      {(children.length > 0 || part.childrenAfter > 0) && (
        <Children family={family} task={task} viewer={viewer} />
      )}
    </>
  );
}

const NODE = { width: 200, height: 40, gap: 12, column: 270 } as const;

/** A task that is drawn. */
interface Node {
  readonly id: number;
  readonly type: string;
  readonly status: TaskStatus | "pruned";
}

/** A place in the graph. */
interface Place {
  readonly x: number;
  readonly y: number;
}

function Graph({ family, task, viewer }: FamilyProps): Html {
  const parents = family.parents.slice(0, DRAWN).map(nodeOfParent);
  const children = family.children.slice(0, DRAWN).map(nodeOfChild);
  const more = {
    parents: family.parents.length - parents.length + (family.nextParents === null ? 0 : Infinity),
    children: family.children.length - children.length +
      (family.nextChildren === null ? 0 : Infinity),
  };
  const rows = Math.max(1, ...[parents, children].map(({ length }) => length));
  const step = NODE.height + NODE.gap;
  const height = rows * step;
  const placesOf = (nodes: readonly Node[], column: number): Place[] =>
    nodes.map((_, n) => ({
      x: column,
      y: (height - nodes.length * step + NODE.gap) / 2 + n * step,
    }));
  const own: Place = { x: parents.length === 0 ? 0 : NODE.column, y: (height - NODE.height) / 2 };
  const above = placesOf(parents, 0);
  const below = placesOf(children, own.x + NODE.column);
  const width = (children.length === 0 ? own.x : own.x + NODE.column) + NODE.width;
  const hasMore = more.parents + more.children > 0;
  return (
    <svg
      class="graph"
      width={width + 4}
      viewBox={`-2 -2 ${width + 4} ${height + (hasMore ? 20 : 4)}`}
      role="group"
      aria-label={`Task ${task.id} behind its parents and before its children`}
    >
      {above.map((from) => <Edge from={from} to={own} />)}
      {below.map((to) => <Edge from={own} to={to} />)}
      {parents.map((node, n) => <GraphNode node={node} at={above[n]!} viewer={viewer} />)}
      <GraphNode node={task} at={own} viewer={viewer} isOwn />
      {children.map((node, n) => <GraphNode node={node} at={below[n]!} viewer={viewer} />)}
      {more.parents > 0 && <More of={more.parents} to="#parents" at={{ x: 0, y: height + 10 }} />}
      {more.children > 0 && (
        <More
          of={more.children}
          to="#children"
          at={{ x: own.x + NODE.column, y: height + 10 }}
        />
      )}
    </svg>
  );
}

function nodeOfParent({ taskId, type, status, runId }: ParentResult): Node {
  return { id: taskId, type: type ?? runId, status };
}

function nodeOfChild({ taskId, type, status }: ChildTask): Node {
  return { id: taskId, type, status };
}

/** Who waits for whom. */
function Edge({ from, to }: { readonly from: Place; readonly to: Place }): Html {
  const [x1, y1] = [from.x + NODE.width, from.y + NODE.height / 2];
  const [x2, y2] = [to.x, to.y + NODE.height / 2];
  const middle = (x1 + x2) / 2;
  return (
    <path
      class="edge"
      d={`M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}m-7 -4l7 4l-7 4`}
    />
  );
}

function GraphNode(
  { node, at, viewer, isOwn = false }: {
    readonly node: Node;
    readonly at: Place;
    readonly viewer: Viewer;
    readonly isOwn?: boolean;
  },
): Html {
  const { id, type, status } = node;
  const shape = status === "pruned" ? "–" : SHAPES[status];
  const name = short(`#${id} ${type}`, 26);
  const parts = (
    <>
      <rect x={at.x} y={at.y} width={NODE.width} height={NODE.height} rx="6" />
      <text x={at.x + 10} y={at.y + 17}>{name}</text>
      <text class={status} x={at.x + 10} y={at.y + 33}>{`${shape} ${status}`}</text>
    </>
  );
  if (isOwn || status === "pruned") return <g class={isOwn ? "own" : undefined}>{parts}</g>;
  return (
    <a href={`${viewer.prefix}/tasks/${id}`} aria-label={`${name}: ${status}`}>
      {parts}
    </a>
  );
}

function More(
  { of, to, at }: { readonly of: number; readonly to: string; readonly at: Place },
): Html {
  return (
    <a href={to}>
      <text x={at.x} y={at.y}>{of === Infinity ? "and more, below" : `and ${of} more, below`}</text>
    </a>
  );
}

function Parents({ family, task, viewer }: FamilyProps): Html {
  const { parents, part, nextParents } = family;
  return (
    <>
      <h3 id="parents">Parents</h3>
      <Table label="Parents" head={["task", "type", "run id", "status", "error"]}>
        {parents.map(({ taskId, runId, type, status, errorMessage }) => (
          <tr>
            <td>{status === "pruned" ? `#${taskId}` : <TaskLink id={taskId} viewer={viewer} />}</td>
            <td>{type === null ? "–" : <TypeLink type={type} viewer={viewer} />}</td>
            <td>
              <Text of={runId} max={60} />
            </td>
            <td>{status === "pruned" ? "pruned" : <Status of={status} />}</td>
            <td>
              <Text of={errorMessage ?? ""} />
            </td>
          </tr>
        ))}
      </Table>
      <Pages
        first={part.parentsFrom === 0 ? null : { ...part, parentsFrom: 0 }}
        next={nextParents === null ? null : { ...part, parentsFrom: nextParents }}
        {...{ task, viewer, name: "parents" }}
      />
    </>
  );
}

function Children({ family, task, viewer }: FamilyProps): Html {
  const { children, part, nextChildren } = family;
  return (
    <>
      <h3 id="children">Children</h3>
      <Table label="Children" head={["task", "type", "run id", "status"]}>
        {children.map(({ taskId, runId, type, status }) => (
          <tr>
            <td>
              <TaskLink id={taskId} viewer={viewer} />
            </td>
            <td>
              <TypeLink type={type} viewer={viewer} />
            </td>
            <td>
              <Text of={runId} max={60} />
            </td>
            <td>
              <Status of={status} />
            </td>
          </tr>
        ))}
      </Table>
      <Pages
        first={part.childrenAfter === 0 ? null : { ...part, childrenAfter: 0 }}
        next={nextChildren === null ? null : { ...part, childrenAfter: nextChildren }}
        {...{ task, viewer, name: "children" }}
      />
    </>
  );
}

function TypeLink({ type, viewer }: { readonly type: string; readonly viewer: Viewer }): Html {
  return (
    <TasksLink viewer={viewer} filter={{ type }}>
      <Text of={type} max={60} />
    </TasksLink>
  );
}

/** Links to the first and to the next part. */
function Pages(
  { first, next, name, task, viewer }: {
    readonly first: FamilyPart | null;
    readonly next: FamilyPart | null;
    readonly name: string;
    readonly task: Task;
    readonly viewer: Viewer;
  },
): Html | null {
  const to = ({ parentsFrom, childrenAfter }: FamilyPart): string => {
    const query = {
      ...(parentsFrom === 0 ? {} : { parents_from: String(parentsFrom) }),
      ...(childrenAfter === 0 ? {} : { children_after: String(childrenAfter) }),
    };
    return `${viewer.prefix}/tasks/${task.id}?${new URLSearchParams(query)}#${name}`;
  };
  if (first === null && next === null) return null;
  return (
    <p>
      {first !== null && <a href={to(first)}>{`First ${name}`}</a>}{" "}
      {next !== null && <a rel="next" href={to(next)}>{`Next ${name}`}</a>}
    </p>
  );
}

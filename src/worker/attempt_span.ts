/**
 * OpenTelemetry: one span per attempt, linked to that of the enqueueing, and a histogram of how long they took, by the conventions for
 * messaging. They cost less than a microsecond while the application has set up neither (`OTEL_DENO=true` sets up both in Deno).
 */
import { type Link, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Clock } from "../domain/clock.ts";
import type { Task } from "../domain/task.ts";
import { instruments } from "../queue_policy/instruments.ts";
import type { ExecutionReport } from "./execution.ts";

const tracer = trace.getTracer("holdfast");

/** Does `work` in a span; what the handler does is inside it. A failed, retried or lost attempt is an error. */
export function inAttemptSpan(
  { workerId, clock }: { readonly workerId: string; readonly clock: Clock },
  task: Task,
  work: () => Promise<ExecutionReport>,
): Promise<ExecutionReport> {
  const attributes = {
    "messaging.system": "holdfast",
    "messaging.operation.type": "process",
    "messaging.destination.name": task.type,
    "messaging.message.id": task.runId,
    "messaging.client.id": workerId,
    "holdfast.task.id": task.id,
    "holdfast.task.attempt": task.attempts,
  };
  const options = { kind: SpanKind.CONSUMER, attributes, links: linksTo(task.traceParent) };
  const measured = (): Promise<ExecutionReport> => inTime(clock, task.type, work);
  return tracer.startActiveSpan(`process ${task.type}`, options, (span) => within(span, measured));
}

/** The enqueueing may be of another process, and long ago: the attempt is not part of it, and links to it. */
function linksTo(traceParent: string | null): Link[] {
  const [, traceId, spanId, flags] = traceParent?.split("-") ?? [];
  if (traceId === undefined || spanId === undefined) return [];
  return [{ context: { traceId, spanId, traceFlags: parseInt(flags ?? "0", 16), isRemote: true } }];
}

async function within(span: Span, work: () => Promise<ExecutionReport>): Promise<ExecutionReport> {
  try {
    const report = await work();
    const { kind, message } = report;
    span.setAttribute("holdfast.task.outcome", kind);
    if (isError(report)) {
      span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    return report;
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Measures an attempt, with its outcome. */
async function inTime(
  clock: Clock,
  type: string,
  work: () => Promise<ExecutionReport>,
): Promise<ExecutionReport> {
  const startMs = clock.nowMs();
  const report = await work();
  instruments().processed.record((clock.nowMs() - startMs) / 1000, {
    "messaging.system": "holdfast",
    "messaging.operation.name": "process",
    "messaging.destination.name": type,
    "holdfast.task.outcome": report.kind,
    ...isError(report) ? { "error.type": report.kind } : {},
  });
  return report;
}

function isError({ kind }: ExecutionReport): boolean {
  return kind === "failed" || kind === "retried" || kind === "lost";
}

/**
 * OpenTelemetry: one span per enqueueing, by the conventions for messaging, that the spans of the attempts link to, and a counter. They
 * cost less than a microsecond while the application has set up neither.
 */
import { type SpanContext, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { instruments } from "./instruments.ts";

const tracer = trace.getTracer("holdfast");

/** Stores tasks of these types in a span; `work` gets its W3C `traceparent`, or `null` without tracing. */
export function inEnqueueSpan<T>(
  types: readonly string[],
  work: (traceParent: string | null) => Promise<T>,
): Promise<T> {
  const [type] = types;
  const destination = types.every((other) => other === type) ? type : undefined;
  const attributes = {
    "messaging.system": "holdfast",
    "messaging.operation.type": "send",
    "messaging.destination.name": destination,
    "messaging.batch.message_count": types.length,
  };
  const name = destination === undefined ? "send" : `send ${destination}`;
  return tracer.startActiveSpan(name, { kind: SpanKind.PRODUCER, attributes }, async (span) => {
    try {
      const done = await work(traceParentOf(span.spanContext()));
      count(types);
      return done;
    } catch (error) {
      count(types, error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Counts the tasks of each type; `error` is why they were not stored. */
function count(types: readonly string[], error?: unknown): void {
  const counts = new Map<string, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  const { sent } = instruments();
  for (const [type, n] of counts) {
    sent.add(n, {
      "messaging.system": "holdfast",
      "messaging.operation.name": "send",
      "messaging.destination.name": type,
      ...error === undefined ? {} : { "error.type": nameOf(error) },
    });
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "_OTHER";
}

/** The same for the tasks that a completion stores, if there are any. */
export function inFollowingSpan<T>(
  tasks: readonly { readonly kept: { readonly type: string } }[],
  work: (traceParent: string | null) => Promise<T>,
): Promise<T> {
  if (tasks.length === 0) return work(null);
  return inEnqueueSpan(tasks.map(({ kept }) => kept.type), work);
}

function traceParentOf({ traceId, spanId, traceFlags }: SpanContext): string | null {
  if (/^0*$/.test(traceId)) return null;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

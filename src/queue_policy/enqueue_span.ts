/**
 * OpenTelemetry: one span per enqueueing, by the conventions for messaging, that the spans of the attempts link to. It costs
 * less than a microsecond while the application has set up no tracing.
 */
import { type SpanContext, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

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
      return await work(traceParentOf(span.spanContext()));
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
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

/**
 * OpenTelemetry: the instruments that enqueueings and attempts are measured with, by the conventions for messaging. They cost a comparison
 * while the application has set up no metrics.
 */
import { type Counter, type Histogram, type MeterProvider, metrics } from "@opentelemetry/api";

/** What is measured. */
export interface Instruments {
  /** Tasks that were stored, or that could not be. */
  readonly sent: Counter;
  /** How long attempts took, in seconds. */
  readonly processed: Histogram;
}

let known: { readonly provider: MeterProvider; readonly instruments: Instruments } | undefined;

/** The instruments of the application's provider. One that is set up later counts from then on: a meter of before has no effect. */
export function instruments(): Instruments {
  const provider = metrics.getMeterProvider();
  if (known?.provider !== provider) known = { provider, instruments: madeBy(provider) };
  return known.instruments;
}

function madeBy(provider: MeterProvider): Instruments {
  const meter = provider.getMeter("holdfast");
  return {
    sent: meter.createCounter("messaging.client.sent.messages", {
      description: "Tasks that were enqueued",
      unit: "{message}",
    }),
    processed: meter.createHistogram("messaging.process.duration", {
      description: "How long attempts took",
      unit: "s",
      advice: { explicitBucketBoundaries: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 3600] },
    }),
  };
}

// Exports the same four spans, with fixed ids and times, through the plain OpenTelemetry
// JavaScript SDK.
//
//   OTEL_EXPORTER_OTLP_PROTOCOL  grpc, http/protobuf (default) or http/json
//   OTEL_EXPORTER_OTLP_ENDPOINT  such as http://127.0.0.1:4318 (grpc: :4317)
//   SPANS_TRACE_ID               another trace id, 32 hex digits
//
// Prints what it exported, {"spans": [[trace id, span id, parent id, name], …]}, and exits
// with 1 when the collector did not take it.

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

const EXPORTERS = {
  grpc: GrpcExporter,
  "http/json": JsonExporter,
  "http/protobuf": ProtobufExporter,
};
const protocol = process.env.OTEL_EXPORTER_OTLP_PROTOCOL ?? "http/protobuf";
if (!(protocol in EXPORTERS)) {
  console.error(`unknown protocol ${protocol}, expected one of: ${Object.keys(EXPORTERS)}`);
  process.exit(2);
}
const traceId = process.env.SPANS_TRACE_ID ?? "5b8efff798038103d269b633813fc60c";

class CountingIds {
  #spans = 0;
  generateTraceId() {
    return traceId;
  }
  generateSpanId() {
    this.#spans += 1;
    return this.#spans.toString(16).padStart(16, "a");
  }
}

// Nanoseconds do not fit a JavaScript number: times are [seconds, nanoseconds].
const at = (milliseconds) => [1_700_000_000, milliseconds * 1_000_000 + 789];

const memory = new InMemorySpanExporter();
const provider = new BasicTracerProvider({
  idGenerator: new CountingIds(),
  resource: resourceFromAttributes({ "service.name": "javascript", "process.pid": 7 }),
  spanProcessors: [new SimpleSpanProcessor(memory)],
});
const tracer = provider.getTracer("javascript-tests", "1.2.3");

const start = (name, parent, options) =>
  tracer.startSpan(name, options, parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT);

const run = start("invoke_workflow nightly", null, {
  startTime: at(0),
  attributes: { "gen_ai.operation.name": "invoke_workflow", "fleetspan.run.id": "js-run" },
});
const agent = start("invoke_agent researcher", run, {
  startTime: at(1),
  attributes: {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "researcher",
    "gen_ai.conversation.id": "js-session",
    empty: "",
    unicode: "Zürich ☃ 🚀",
    flag: false,
    zero: 0,
    negative: -5,
    ratio: 0.25,
    numbers: [1, 2, 3],
    mixed: ["a", "", "c"],
  },
});
const chat = start("chat gpt-5", agent, {
  kind: SpanKind.CLIENT,
  startTime: at(2),
  links: [{ context: run.spanContext(), attributes: { why: "cause" } }],
  attributes: {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 1234,
    "gen_ai.usage.output_tokens": 56,
  },
});
chat.addEvent("fleetspan.decision", { "fleetspan.decision.kind": "plan" }, at(3));
chat.setStatus({ code: SpanStatusCode.OK });
chat.end(at(40));
const tool = start("execute_tool search", agent, {
  startTime: at(41),
  attributes: {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "search",
    "error.type": "TimeoutError",
  },
});
tool.setStatus({ code: SpanStatusCode.ERROR, message: "timed out" });
tool.end(at(90));
agent.end(at(95));
run.end(at(100));

const spans = memory.getFinishedSpans();
const exporter = new EXPORTERS[protocol]();
const result = await new Promise((resolve) => exporter.export(spans, resolve));
await exporter.shutdown();
if (result.code !== 0) {
  console.error(`not exported: ${result.error}`);
  process.exit(1);
}
const shown = spans.map((span) => {
  const { traceId: id, spanId } = span.spanContext();
  return [id, spanId, span.parentSpanContext?.spanId ?? "", span.name];
});
console.log(JSON.stringify({ spans: shown }));

// Vercel's AI SDK: its own attributes ("own": ai.*) or GenAI ones, as it offers both.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { LegacyOpenTelemetry, OpenTelemetry } from "@ai-sdk/otel";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText, registerTelemetry, stepCountIs, tool } from "ai";
import { z } from "zod";

const [, , which] = process.argv;
const provider = new NodeTracerProvider({
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
const own = which.startsWith("own-");
const options = { usage: true, providerMetadata: true, runtimeContext: true };
registerTelemetry(own ? new LegacyOpenTelemetry() : new OpenTelemetry(options));

const url = process.env.PROVIDER_URL;
const model = which.endsWith("anthropic")
  ? createAnthropic({ baseURL: `${url}/v1` })("claude-sonnet-4-5")
  : createOpenAI({ baseURL: `${url}/v1` })("gpt-5-mini");

const telemetry = (functionId) => ({
  isEnabled: true,
  functionId,
  includeRuntimeContext: { sessionId: true, userId: true },
});
const runtimeContext = { sessionId: "session-1", userId: "user-1" };

const answer = await generateText({
  model,
  system: "You are the lead. Use your tools, then answer.",
  prompt: "How warm is it in Lisbon, and how sunny is Lisbon?",
  stopWhen: stepCountIs(5),
  telemetry: telemetry("lead"),
  runtimeContext,
  tools: {
    get_weather: tool({
      description: "The weather of a city.",
      inputSchema: z.object({ city: z.string() }),
      execute: async () => "18 degrees and sunny",
    }),
    ask_researcher: tool({
      description: "Ask the researcher.",
      inputSchema: z.object({ task: z.string() }),
      execute: async ({ task }) => {
        const { text } = await generateText({
          model,
          system: "You are the researcher. Answer in one sentence.",
          prompt: task,
          telemetry: telemetry("researcher"),
          runtimeContext,
        });
        return text;
      },
    }),
  },
});
console.log(answer.text);
await provider.shutdown();

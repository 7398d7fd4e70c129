"""Programs that report: by Fleetspan, by an instrumentation, by their own set-up."""

import json
import subprocess
import sys

import pytest

from tests.collector_processor.run.conftest import PROGRAMS, RUN, Runner
from tests.collector_processor.run.programs.provider import Provider
from tests.collector_processor.running import Collector

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FLEETSPAN = """
import fleetspan
with fleetspan.run("nightly"), fleetspan.agent("planner"):
    with fleetspan.llm("gpt-4o-mini", provider="openai") as call:
        call.usage(input_tokens=1000, cache_read_tokens=0, output_tokens=200)
    with fleetspan.tool("Read", call_id="t1"):
        pass
    try:
        with fleetspan.tool("Bash", call_id="t2"):
            raise ValueError("no")
    except ValueError:
        pass
print("done")
"""

OWN_PROVIDER = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

tracer = trace.get_tracer("early")

@tracer.start_as_current_span("decorated")
def work():
    from openai import OpenAI
    OpenAI(api_key="test").chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "SECRET"}]
    )

memory = InMemorySpanExporter()
provider = TracerProvider(resource=Resource({"service.name": "mine"}))
provider.add_span_processor(SimpleSpanProcessor(memory))
if "otlp" in sys.argv:
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
work()
print(trace.get_tracer_provider() is provider, len(memory.get_finished_spans()))
"""

LATE_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

with trace.get_tracer("t").start_as_current_span("before"):
    pass
memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)
with trace.get_tracer("t").start_as_current_span("after"):
    pass
print([span.name for span in memory.get_finished_spans()])
"""

OWN_INSTRUMENTATION = """
from openai import OpenAI
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

memory = InMemorySpanExporter()
private = TracerProvider()
private.add_span_processor(SimpleSpanProcessor(memory))
OpenAIInstrumentor().instrument(tracer_provider=private)
OpenAI(api_key="test").chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "?"}]
)
print(len(memory.get_finished_spans()))
"""

FORKS = """
import multiprocessing
from opentelemetry import trace

def child():
    with trace.get_tracer("t").start_as_current_span("in the child"):
        pass

if __name__ == "__main__":
    with trace.get_tracer("t").start_as_current_span("in the parent"):
        pass
    started = multiprocessing.get_context("fork").Process(target=child)
    started.start()
    started.join()
"""


PYDANTIC_AI = """
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

agent = Agent(TestModel(), name="scout")

@agent.tool_plain
def weather(city: str) -> str:
    return "fine"

print(agent.run_sync("SECRET").output)
"""


def _names(collector: Collector, invocation: str) -> list[str]:
    rows = collector.sql(
        "SELECT SpanName FROM otel.otel_traces WHERE"
        f" ResourceAttributes['fleetspan.invocation.id'] = '{invocation}'"
        " ORDER BY SpanName"
    )
    return [row["SpanName"] for row in rows]


def test_five_lines_end_a_run(runner: Runner) -> None:
    """Cost, tokens, slowest step, what stood out, what to type next; output untouched."""
    ran = runner.python(FLEETSPAN)
    assert (ran.code, ran.out) == (0, "done\n")
    lines = ran.err.splitlines()
    assert [line[:11].rstrip() for line in lines] == [
        *("cost", "tokens", "slowest", "stood out", "next")
    ]
    run_id = ran.document["runs"][0]["run_id"]
    assert lines[0] == "cost       $0.0003"
    assert lines[1] == (
        "tokens     1k in, 200 out · 1 model call, 2 tool calls, 1 agent"
    )
    assert " by planner: " in lines[2]
    assert lines[3] == "stood out  1 tool call failed (Bash)"
    assert lines[4].endswith(f"show {run_id[:12]} --data {runner.data}")


def test_an_instrumentation_is_switched_on_and_nothing_is_edited(
    runner: Runner, provider: Provider, collector: Collector
) -> None:
    """A program that knows no OpenTelemetry is seen, without its prompts."""
    ran = runner(
        sys.executable,
        str(PROGRAMS / "asks_openai.py"),
        OPENAI_BASE_URL=provider.url,
    )
    assert (ran.code, ran.out) == (0, "four\nfour\n")
    usage = ran.usage
    assert (usage["llm_calls"], usage["input_tokens"], usage["output_tokens"]) == (
        *(2, 2000, 400),
    )
    assert usage["cost_usd"] == pytest.approx(0.00054)
    assert ran.document["instrumentation"]["switched_on"] == [
        "opentelemetry-instrumentation-genai-openai"
    ]
    rows = collector.sql(
        "SELECT DISTINCT ServiceName, toString(SpanAttributes) AS attributes"
        " FROM otel.otel_traces WHERE ResourceAttributes['fleetspan.invocation.id']"
        f" = '{ran.document['invocation_id']}'"
    )
    assert {row["ServiceName"] for row in rows} == {"asks_openai"}
    assert not any("two and two" in row["attributes"] for row in rows)


@pytest.mark.parametrize("also_to_us", [False, True])
def test_a_programs_own_provider_stays_its_own(
    runner: Runner, provider: Provider, collector: Collector, also_to_us: bool
) -> None:
    """It gets every span, the collector too, and each once; its resource is kept."""
    ran = runner.python(
        OWN_PROVIDER, *(["otlp"] if also_to_us else []), OPENAI_BASE_URL=provider.url
    )
    assert (ran.code, ran.out) == (0, "True 2\n")
    invocation = ran.document["invocation_id"]
    assert _names(collector, invocation) == ["chat gpt-4o-mini", "decorated"]
    assert collector.count(
        "otel_traces",
        f"ServiceName = 'mine' AND ResourceAttributes['fleetspan.invocation.id']"
        f" = '{invocation}'",
    ) == 2  # fmt: skip
    assert ran.usage["llm_calls"] == 1


def test_a_provider_that_comes_late_gets_what_follows(
    runner: Runner, collector: Collector
) -> None:
    """Ours was needed before the program set its own: from then on both get the spans."""
    ran = runner.python(LATE_PROVIDER)
    assert (ran.code, ran.out) == (0, "['after']\n")
    assert _names(collector, ran.document["invocation_id"]) == ["after", "before"]


def test_the_programs_own_instrument_call_wins(
    runner: Runner, provider: Provider
) -> None:
    """A library is not watched twice, and the program's provider gets the span."""
    ran = runner.python(OWN_INSTRUMENTATION, OPENAI_BASE_URL=provider.url)
    assert (ran.code, ran.out) == (0, "1\n")
    assert ran.document["spans"] == 1
    assert "already" not in ran.err


def test_a_forked_child_is_seen(runner: Runner, collector: Collector) -> None:
    """Its exit skips exit handlers, and its spans arrive all the same."""
    ran = runner.python(FORKS)
    names = _names(collector, ran.document["invocation_id"])
    assert names == ["in the child", "in the parent"]


def test_of_two_instrumentations_one_is_taken(
    runner: Runner, provider: Provider
) -> None:
    """Both would report the same call: OpenTelemetry's is taken, and it is said."""
    other = runner.folder / "other"
    about = other / "other_instrumentation-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: other-instrumentation\nVersion: 1.0\n"
        "Requires-Dist: openai; extra == 'instruments'\n"
    )
    (about / "entry_points.txt").write_text(
        "[opentelemetry_instrumentor]\nopenai = other_instrumentation:Other\n"
    )
    ran = runner(
        *(sys.executable, str(PROGRAMS / "asks_openai.py")),
        OPENAI_BASE_URL=provider.url,
        PYTHONPATH=str(other),
    )
    assert ran.usage["llm_calls"] == 2
    taken = "opentelemetry-instrumentation-genai-openai"
    assert ran.document["stood_out"] == [
        f"{taken} was used, not other-instrumentation, which reports the same"
    ]


def test_pydantic_ai_is_told_to_report(runner: Runner, collector: Collector) -> None:
    """It reports only when it is told to, and then prompts only when asked for them."""
    pytest.importorskip("pydantic_ai", reason="needs pydantic-ai")
    ran = runner.python(PYDANTIC_AI)
    assert ran.code == 0
    assert (ran.usage["llm_calls"], ran.usage["tool_calls"]) == (2, 1)
    assert ran.document["runs"][0]["agents"] == 1
    rows = collector.sql(
        "SELECT toString(SpanAttributes) AS attributes FROM otel.otel_traces WHERE"
        " ResourceAttributes['fleetspan.invocation.id']"
        f" = '{ran.document['invocation_id']}'"
    )
    assert not any("SECRET" in row["attributes"] for row in rows)


def test_json_is_one_document_on_standard_error(runner: Runner) -> None:
    """Standard output is the program's; --quiet leaves only the file."""
    said = subprocess.run(
        [*RUN, f"--data={runner.data}", "--json", "--", "echo", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "--json\n"
    assert json.loads(said.stderr)["command"] == ["echo", "--json"]
    quiet = subprocess.run(
        [*RUN, f"--data={runner.data}", "--quiet", "--", "echo", "x"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (quiet.stdout, quiet.stderr) == ("x\n", "")

"""Set-up, export, flush, exit and fork, each in a program of its own."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

pytestmark = pytest.mark.integration

NO_EXPORTERS = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
}


def test_without_configure_everything_arrives_at_exit(
    receiver: Any, program: Any
) -> None:
    """Spans, start events and metrics reach an OTLP receiver, with the process's name."""
    done = program(
        """
        import fleetspan
        with fleetspan.run("r", session="s"), fleetspan.agent("a"):
            with fleetspan.llm("m", provider="p") as call:
                call.usage(input_tokens=3, output_tokens=4)
            with fleetspan.tool("t"):
                pass
        """,
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=fleet,team=x",
            "FLEETSPAN_PROJECT": "demo",
            "FLEETSPAN_ENVIRONMENT": "test",
        },
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(span.name for span in receiver.spans()) == [
        "chat m",
        "execute_tool t",
        "invoke_agent a",
        "invoke_workflow r",
    ]
    assert sorted(record.event_name for record in receiver.log_events()) == [
        "fleetspan.agent.start",
        "fleetspan.run.start",
        "fleetspan.tool.start",
    ]
    by_name = {span.name: span for span in receiver.spans()}
    started = {record.span_id for record in receiver.log_events()}
    assert by_name["invoke_agent a"].span_id in started
    assert "gen_ai.client.inference.usage.input_tokens" in receiver.metric_names()
    resource = receiver.resources()[0]
    assert resource["service.name"] == "fleet"
    assert resource["team"] == "x"
    assert resource["fleetspan.project"] == "demo"
    assert resource["deployment.environment.name"] == "test"
    assert resource["host.name"] == socket.gethostname()
    assert resource["process.pid"].isdigit()
    assert len(resource["service.instance.id"]) == 36


def test_a_crashed_agent_has_been_seen(receiver: Any, started: Any) -> None:
    """Its start event goes out within moments, so a kill leaves a trace of it."""
    process = started(
        """
        import sys, fleetspan
        fleetspan.agent("doomed").start()
        sys.stdin.read()
        """,
        env={"FLEETSPAN_ENDPOINT": receiver.endpoint},
    )
    deadline = time.monotonic() + 30
    while not receiver.log_events() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert [record.event_name for record in receiver.log_events()] == [
        "fleetspan.agent.start"
    ]
    assert receiver.spans() == []


def test_flush_sends_what_there_is(receiver: Any, program: Any) -> None:
    """After flush() the receiver has it, while the program still runs."""
    done = program(
        """
        import os, fleetspan
        fleetspan.configure(endpoint=os.environ["TARGET"], span_delay_ms=60_000)
        with fleetspan.agent("a"):
            pass
        print(fleetspan.flush(30))
        os._exit(0)
        """,
        env={"TARGET": receiver.endpoint},
    )
    assert done.stdout == "True\n"
    assert [span.name for span in receiver.spans()] == ["invoke_agent a"]
    assert "gen_ai.invoke_agent.duration" in receiver.metric_names()


def test_exit_does_not_hang_on_a_receiver_that_never_answers(program: Any) -> None:
    """The exporter may wait for an hour; flush() and exit keep to their own bounds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = program(
            """
            import fleetspan
            with fleetspan.agent("a"):
                pass
            print(fleetspan.flush(0.2))
            """,
            env={
                "FLEETSPAN_ENDPOINT": f"http://127.0.0.1:{port}",
                "FLEETSPAN_EXIT_TIMEOUT_S": "0.5",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "3600",
            },
        )
    assert (done.returncode, done.stdout) == (0, "False\n")


def test_an_existing_provider_is_used_and_not_replaced(
    receiver: Any, program: Any
) -> None:
    """Spans go to the user's own provider, through the user's own processor."""
    done = program(
        """
        from opentelemetry import trace, metrics, _logs
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
            InMemorySpanExporter,
        )
        exporter = InMemorySpanExporter()
        mine = TracerProvider()
        mine.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(mine)
        import fleetspan
        with trace.get_tracer("app").start_as_current_span("request"):
            with fleetspan.agent("a"):
                pass
        assert trace.get_tracer_provider() is mine
        spans = exporter.get_finished_spans()
        print([span.name for span in spans], spans[0].parent == spans[1].context)
        """,
        env={"FLEETSPAN_ENDPOINT": receiver.endpoint},
    )
    assert done.stdout == "['invoke_agent a', 'request'] True\n", done.stderr
    assert receiver.spans() == []
    assert [record.event_name for record in receiver.log_events()] == [
        "fleetspan.agent.start"
    ]


def test_other_instrumentations_are_recorded_through_our_global_provider(
    receiver: Any, program: Any
) -> None:
    """Without a provider ours becomes the global one, and their spans nest in ours."""
    done = program(
        """
        import fleetspan
        from opentelemetry import trace
        with fleetspan.agent("a"):
            with trace.get_tracer("other").start_as_current_span("their call"):
                pass
        """,
        env={"FLEETSPAN_ENDPOINT": receiver.endpoint},
    )
    assert done.stderr == ""
    by_name = {span.name: span for span in receiver.spans()}
    assert by_name["their call"].parent_span_id == by_name["invoke_agent a"].span_id


def test_disabled_records_nothing_and_everything_still_works(
    receiver: Any, program: Any
) -> None:
    """OTEL_SDK_DISABLED: no request, ids are still there, subscribers still hear."""
    done = program(
        """
        import fleetspan
        heard = []
        with fleetspan.subscribe(heard.append):
            with fleetspan.agent("a") as outer, fleetspan.agent("b") as inner:
                inner.decision("q")
        print(len(heard), inner.parent_agent_id == outer.agent_id, len(inner.agent_id))
        print(outer.agent_id != inner.agent_id)
        """,
        env={"OTEL_SDK_DISABLED": "true", "FLEETSPAN_ENDPOINT": receiver.endpoint},
    )
    assert done.stdout == "5 True 16\nTrue\n", done.stderr
    assert receiver.requests == []


@pytest.mark.parametrize("signal", ["TRACES", "LOGS", "METRICS"])
def test_an_unknown_exporter_or_protocol_is_a_config_error(
    program: Any, signal: str
) -> None:
    """configure() says which variable, got what, expected what."""
    source = """
        import fleetspan
        try:
            fleetspan.configure()
        except fleetspan.ConfigError as error:
            print(error)
        """
    exporter, protocol = (
        f"OTEL_{signal}_EXPORTER",
        f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL",
    )
    done = program(source, env={exporter: "zipkin"})
    assert done.stdout == (
        f"{exporter}: unknown exporter, got 'zipkin', expected one of otlp, console, none\n"
    )
    done = program(source, env={protocol: "http/json"})
    assert done.stdout == (
        f"{protocol}: unknown protocol, got 'http/json', expected one of http/protobuf, "
        "grpc\n"
    )


def test_without_configure_an_unknown_exporter_costs_only_its_signal(
    receiver: Any, program: Any
) -> None:
    """OTEL_METRICS_EXPORTER=prometheus is logged; spans are sent all the same."""
    done = program(
        """
        import fleetspan
        with fleetspan.agent("a"):
            pass
        """,
        env={
            "FLEETSPAN_ENDPOINT": receiver.endpoint,
            "OTEL_METRICS_EXPORTER": "prometheus",
        },
    )
    assert "OTEL_METRICS_EXPORTER: unknown exporter, got 'prometheus'" in done.stderr
    assert [span.name for span in receiver.spans()] == ["invoke_agent a"]


def test_grpc_is_spoken_when_the_extra_is_there(program: Any) -> None:
    """With protocol grpc the spans arrive at an OTLP/gRPC receiver."""
    pytest.importorskip("grpc")
    done = program(
        """
        import os
        from concurrent.futures import ThreadPoolExecutor
        import grpc
        from opentelemetry.proto.collector.trace.v1 import (
            trace_service_pb2 as messages,
            trace_service_pb2_grpc as services,
        )
        names = []
        class Receiver(services.TraceServiceServicer):
            def Export(self, request, context):
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        names.extend(span.name for span in scope.spans)
                return messages.ExportTraceServiceResponse()
        server = grpc.server(ThreadPoolExecutor(2))
        services.add_TraceServiceServicer_to_server(Receiver(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        import fleetspan
        fleetspan.configure(
            endpoint=f"http://127.0.0.1:{port}",
            protocol="grpc",
            start_events=False,
            metrics=False,
        )
        with fleetspan.agent("a"):
            pass
        fleetspan.shutdown(30)
        server.stop(None)
        print(names)
        """,
    )
    assert done.stdout == "['invoke_agent a']\n", done.stderr


def test_a_missing_grpc_extra_says_what_to_install(program: Any) -> None:
    """The answer holds the exact pip line."""
    done = program(
        """
        import sys
        sys.modules["opentelemetry.exporter.otlp.proto.grpc"] = None
        import fleetspan
        try:
            fleetspan.configure(protocol="grpc")
        except fleetspan.ConfigError as error:
            print(error)
        """
    )
    assert done.stdout == (
        "protocol: 'grpc' needs a package that is not installed, "
        "try: pip install 'fleetspan[grpc]'\n"
    )


def test_the_console_exporter(program: Any) -> None:
    """OTEL_TRACES_EXPORTER=console prints spans."""
    done = program(
        """
        import fleetspan
        with fleetspan.agent("a"):
            pass
        """,
        env={**NO_EXPORTERS, "OTEL_TRACES_EXPORTER": "console"},
    )
    assert '"name": "invoke_agent a"' in done.stdout


def test_a_forked_child_records_under_its_own_pid_and_sends_nothing_twice(
    receiver: Any, program: Any
) -> None:
    """What the parent had pending stays the parent's; the child is another process."""
    done = program(
        """
        import multiprocessing, os, fleetspan
        def child():
            with fleetspan.agent("child"):
                pass
        if __name__ == "__main__":
            with fleetspan.agent("parent"):
                process = multiprocessing.get_context("fork").Process(target=child)
                process.start()
                process.join()
            print(os.getpid())
        """,
        env={
            "FLEETSPAN_ENDPOINT": receiver.endpoint,
            "FLEETSPAN_SPAN_DELAY_MS": "60000",
        },
    )
    assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in receiver.spans()) == [
        "invoke_agent child",
        "invoke_agent parent",
    ]
    assert sorted(record.event_name for record in receiver.log_events()) == [
        "fleetspan.agent.start",
        "fleetspan.agent.start",
    ]
    pids = {resource["process.pid"] for resource in receiver.resources()}
    assert len(pids) == 2
    assert done.stdout.strip() in pids


def test_a_process_pool_carries_the_context(receiver: Any, program: Any) -> None:
    """ContextExecutor around processes: the children's spans have the right parent."""
    done = program(
        """
        import fleetspan, multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        def ask(model):
            with fleetspan.llm(model) as call:
                return call.agent_id
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            with fleetspan.agent("main") as agent:
                pool = ProcessPoolExecutor(1, mp_context=context)
                with fleetspan.ContextExecutor(pool) as pool:
                    print(list(pool.map(ask, ["m"])) == [agent.agent_id])
        """,
        env={"FLEETSPAN_ENDPOINT": receiver.endpoint},
    )
    assert done.stdout == "True\n", done.stderr
    by_name = {span.name: span for span in receiver.spans()}
    assert by_name["chat m"].parent_span_id == by_name["invoke_agent main"].span_id


def test_a_second_configure_ends_the_first_set_up(receiver: Any, program: Any) -> None:
    """What was recorded before goes out; what comes after goes to the new place."""
    done = program(
        """
        import os, fleetspan
        fleetspan.configure(endpoint=os.environ["TARGET"], service_name="one")
        with fleetspan.agent("first"):
            pass
        fleetspan.configure(endpoint=os.environ["TARGET"], service_name="two")
        with fleetspan.agent("second"):
            pass
        """,
        env={"TARGET": receiver.endpoint},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(span.name for span in receiver.spans()) == [
        "invoke_agent first",
        "invoke_agent second",
    ]
    assert {each["service.name"] for each in receiver.resources()} == {"one", "two"}


def test_importing_is_light(program: Any) -> None:
    """Import fleetspan brings neither exporters nor the OpenTelemetry SDK nor a server."""
    done = program(
        """
        import sys, fleetspan
        heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "grpc",
                 "chdb", "pyarrow", "pydantic", "requests", "fleetspan_collector")
        print([name for name in heavy if name in sys.modules])
        """
    )
    assert done.stdout == "[]\n"


def test_shutting_down_twice_says_nothing(program: Any, receiver: Any) -> None:
    """A program that shut down itself leaves, however it leaves, without a complaint."""
    done = program(
        """
        import fleetspan
        with fleetspan.agent("a"):
            pass
        fleetspan.shutdown(10)
        fleetspan.shutdown(10)
        """,
        env={"FLEETSPAN_ENDPOINT": receiver.endpoint},
    )
    assert done.stderr == ""
    assert [span.name for span in receiver.spans()] == ["invoke_agent a"]

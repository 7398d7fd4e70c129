"""OpenLIT: its instrumentations, and its own spans for agents and tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import openlit

openlit.init(
    otlp_endpoint=os.environ["PROVIDER_URL"],
    application_name="openlit",
    disable_metrics=True,
    disable_batch=True,
)

import loop


@contextmanager
def agent(name: str) -> Iterator[None]:
    with openlit.start_trace(name):
        yield


@contextmanager
def tool(
    name: str, call_id: str, arguments: dict[str, str]
) -> Iterator[Callable[[str], None]]:
    with openlit.start_trace(name) as trace:
        yield trace.set_result


print(loop.converse(sys.argv[1], agent, tool))

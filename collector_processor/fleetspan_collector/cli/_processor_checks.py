"""What ``doctor`` says of processors: which are switched off, and which fail."""

from __future__ import annotations

from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from fleetspan_collector.cli._checks import Check

NAME: Final = "processors"
_OFF: Final = "fleetspan_processor_off"
_FAILURES: Final = "fleetspan_processor_failures_total"


def check_processors(metrics: str) -> Check:
    """Look at the metrics of a collector.

    Args:
        metrics: Its ``/metrics``, as text.
    """
    off: list[str] = []
    failures: dict[str, int] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            name = sample.labels.get("processor", "")
            if sample.name == _OFF and sample.value:
                off.append(name)
            elif sample.name == _FAILURES and sample.value:
                failures[name] = failures.get(name, 0) + int(sample.value)
    if not off and not failures:
        return Check(name=NAME, status="ok", detail="all at work")
    told = [f"{name} is switched off" for name in sorted(off)]
    told += [
        f"{name} failed on {count} run{'s' if count > 1 else ''}"
        for name, count in sorted(failures.items())
        if name not in off
    ]
    return Check(
        name=NAME,
        status="warn",
        detail="; ".join(told),
        fix="see the collector's log; processors_off = "
        + "["
        + ", ".join(f'"{name}"' for name in sorted({*off, *failures}))
        + "] has them rest",
    )

"""What agents were asked, and whether that may decide which model has a task.

Only of those whose model was left to chance here; who chose by other reasons would be
taken for knowing something of the text.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.processors.messages import receive, send
from fleetspan_collector.routing.memory import Names
from fleetspan_routing.outcomes import Task
from fleetspan_routing.text_guard import Seen, Verdict, judge
from fleetspan_routing.tiers import Tiers

LEAST_TEXTS: Final = 200
"""With fewer there is nothing to be judged."""

_WITHIN_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether texts of a workload may decide between two models.

    Attributes:
        workload: Which.
        weak: The model that others than the strongest were tried most often.
        strong: The preferred one of the strongest tier.
        seen: What became of tasks.
        target: Share of the strong model's quality that is to be kept.
    """

    workload: str
    weak: str
    strong: str
    seen: tuple[Seen, ...]
    target: float


def questions(
    rows: Iterable[Mapping[str, Any]], tiers: Tiers, target: float
) -> list[Question]:
    """Make a question of each workload.

    Args:
        rows: As ``outcome_texts`` returns them.
        tiers: Which name the models.
        target: Share of the strong model's quality that is to be kept.
    """
    names = Names(tiers)
    strong = tiers.tiers[-1].models[0]
    by_workload: dict[str, list[tuple[Mapping[str, Any], str]]] = defaultdict(list)
    for row in rows:
        by_workload[row["Workload"]].append((row, names.of(row["Model"])))
    made = []
    for workload, some in by_workload.items():
        tried = Counter(m for _, m in some if m != strong and m in tiers.models)
        if not tried:
            continue
        weak = tried.most_common(1)[0][0]
        seen = (_seen(row, model, names, weak, strong) for row, model in some)
        made.append(
            Question(
                workload=workload,
                weak=weak,
                strong=strong,
                seen=tuple(each for each in seen if each is not None),
                target=target,
            )
        )
    return made


def _seen(
    row: Mapping[str, Any], model: str, names: Names, weak: str, strong: str
) -> Seen | None:
    if model not in (weak, strong):
        return None
    chances = names.chances(row)
    of_strong = chances.get(strong, 0.0)
    total = of_strong + chances.get(weak, 0.0)
    if not total:
        return None
    return Seen(
        text=row["Task"],
        strong=model == strong,
        quality=row["Quality"],
        propensity=of_strong / total,
        marks=Task(
            role=row["Role"], tools=row["Tools"], repository=row["Repository"]
        ).marks(),
    )


def answered(asked: Iterable[Question]) -> dict[str, Verdict]:
    """Judge here and now; by workload."""
    return {
        each.workload: judge(
            each.seen, weak=each.weak, strong=each.strong, target=each.target
        )
        for each in asked
    }


Halves = tuple[Mapping[str, Verdict], Mapping[str, Verdict]]
"""What was judged, by workload, of each half of the texts."""


def judged_by_half(
    rows: Iterable[Mapping[str, Any]], tiers: Tiers, target: float
) -> Halves:
    """Judge each half of the texts, so that either can be asked about the other.

    Args:
        rows: As ``outcome_texts`` returns them.
        tiers: Which name the models.
        target: Share of the strong model's quality that is to be kept.
    """
    halves: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = [], []
    for row in rows:
        halves[half_of(row["Task"])].append(row)
    first, second = (answered(questions(each, tiers, target)) for each in halves)
    return first, second


def half_of(text: str) -> int:
    """Return in which half a text is, 0 or 1, however often it comes."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) & 1


class JudgeApart:
    """Judges in a process of its own: fitting takes seconds, and answers must not wait."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def __call__(self, asked: list[Question]) -> dict[str, Verdict]:
        """Return verdicts by workload; none when stopped meanwhile.

        Raises:
            OSError: When there is no such process.
            subprocess.SubprocessError: When it took too long, or failed.
        """
        told = io.BytesIO()
        send(told, asked)
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "fleetspan_collector.routing.judge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with process:
            try:
                if self._stopped:
                    process.kill()
                answer, _ = process.communicate(told.getvalue(), timeout=_WITHIN_S)
            except BaseException:
                # Or leaving this block would wait for it.
                process.kill()
                raise
        if self._stopped:
            return {}
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        found = receive(io.BytesIO(answer))
        if not isinstance(found, dict):
            raise TypeError(f"expected a dict, got {type(found).__name__}")
        return found

    def stop(self) -> None:
        """End what is going on."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

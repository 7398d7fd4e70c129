"""Pairs of models with public outcomes on the same tasks; measured with, never shipped.

::

    A  Gemini-2.5-Flash (SWE-agent, masked) → Gemini-3-Pro (mini-SWE-agent)   SWE-bench
    B  Gemini-2.5-Flash → Qwen3-Coder-480B, both SWE-agent, masked            SWE-bench
    C  Mixtral-8x7B → GPT-4-1106                                              GSM8K
    D  the same                                                               MMLU
"""

from __future__ import annotations

import csv
import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing.outcomes import Task
from tests.benchmarks import _public_tasks as public

Floats = npt.NDArray[np.float64]

_MIXTRAL: Final = "mistralai/Mixtral-8x7B-Instruct-v0.1"
_GPT4: Final = "gpt-4-1106-preview"
# What the data have no costs of: list prices, as RouteLLM's paper has them.
_GPT4_TIMES: Final = 103.0
_FLASH: Final = "gemini_2.5_flash-agent-t_0.8-baseline_N_1_M_10.0-verified-500"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A weak and a strong model on the same tasks.

    Attributes:
        texts: What each task says.
        weak: Whether the weak model did it, 0 or 1.
        strong: Whether the strong one did.
        weak_usd: What it cost the weak one.
        strong_usd: Likewise.
        places: The repository or subject of each task; empty where there are none.
    """

    name: str
    about: str
    texts: tuple[str, ...]
    weak: Floats
    strong: Floats
    weak_usd: Floats
    strong_usd: Floats
    places: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[tuple[str, ...], ...]:
        """The same, as a router is told them."""
        if not self.places:
            return ((),) * len(self.texts)
        return tuple(Task(repository=place).marks() for place in self.places)


def arms(data: Path) -> Iterator[Arm | str]:
    """Yield the pairs of which there are data, and the names of what is absent."""
    yield from _of_swe_bench(data)
    gsm8k = data / "routellm" / "gsm8k" / "gsm8k_responses.csv"
    if gsm8k.is_file():
        yield _of_questions("C", "GSM8K: Mixtral → GPT-4", [gsm8k])
    else:
        yield "routellm/gsm8k"
    mmlu = sorted((data / "routellm" / "mmlu" / "responses").glob("*.csv"))
    if mmlu:
        yield _of_questions("D", "MMLU: Mixtral → GPT-4", mmlu)
    else:
        yield "routellm/mmlu"


def _of_questions(name: str, about: str, paths: list[Path]) -> Arm:
    left_out = set()
    for path in {path.parent for path in paths} | {p.parent.parent for p in paths}:
        known = path / "contaminated_prompts.jsonl"
        if known.is_file():
            with known.open(encoding="utf-8") as lines:
                left_out |= {json.loads(line)["eval_prompt"] for line in lines}
    rows, places = [], []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            kept = [r for r in csv.DictReader(file) if r["prompt"] not in left_out]
        rows += kept
        places += [path.stem] * len(kept)
    number = len(rows)
    return Arm(
        name=name,
        about=about,
        texts=tuple(row["prompt"] for row in rows),
        weak=np.array([float(row[_MIXTRAL] == "True") for row in rows]),
        strong=np.array([float(row[_GPT4] == "True") for row in rows]),
        weak_usd=np.ones(number),
        strong_usd=np.full(number, _GPT4_TIMES),
        places=tuple(places) if len(paths) > 1 else (),
    )


def _of_swe_bench(data: Path) -> Iterator[Arm | str]:
    texts = public.texts(data)
    experiments = public.experiments(data)
    runs = data / "mini_swe_agent_runs" / "runs.jsonl.xz"
    weak = experiments.get(_FLASH, {})
    if not texts or not weak:
        yield "swebench_verified and complexity_trap"
        return
    if runs.is_file():
        whole = {}
        with lzma.open(runs, "rt", encoding="utf-8") as lines:
            for line in lines:
                run = json.loads(line)
                whole[run["instance_id"]] = public.Spent(
                    turns=run["api_calls"],
                    cost_usd=run["cost"],
                    failed=not run["resolved"],
                )
        yield _arm("A", "Gemini-2.5-Flash → Gemini-3-Pro", texts, weak, whole)
    else:
        yield "mini_swe_agent_runs"
    for name, strong in experiments.items():
        if "Qwen3-Coder" in name and "baseline_N_1_M_10" in name:
            yield _arm("B", "Gemini-2.5-Flash → Qwen3-Coder-480B", texts, weak, strong)
            return
    yield "Qwen3-Coder of complexity_trap"


def _arm(
    name: str,
    about: str,
    texts: Mapping[str, tuple[str, int | None]],
    weak: Mapping[str, public.Spent],
    strong: Mapping[str, public.Spent],
) -> Arm:
    tasks = sorted(set(weak) & set(strong) & set(texts))
    return Arm(
        name=name,
        about=about,
        texts=tuple(texts[task][0] for task in tasks),
        weak=np.array([float(not weak[task].failed) for task in tasks]),
        strong=np.array([float(not strong[task].failed) for task in tasks]),
        weak_usd=np.array([weak[task].cost_usd for task in tasks]),
        strong_usd=np.array([strong[task].cost_usd for task in tasks]),
        places=tuple(task.split("__")[0] for task in tasks),
    )

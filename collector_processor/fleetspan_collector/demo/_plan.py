"""Which runs the demo makes: the same for the same seed, but for ids and the time of day."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

SPECIALS: Final = {
    "stuck": "index-monorepo",
    "loop": "fix-flaky-test",
    "cost spike": "summarise-inbox",
    "crash": "migrate-ledger",
    "one by one": "review-release",
    "straggler": "audit-dependencies",
    "rate limit": "research-competitors",
    "retry storm": "deploy-preview",
    "broken cache": "refactor-ledger",
    "large output": "debug-production",
}
"""Name of the run by what is odd about it on purpose."""

FEWEST_RUNS: Final = 16
_MINUTE_S: Final = 60.0
# How long ago each begins: the stuck one is still within the idle timeout, the
# crashed one is beyond it, and all others have ended by now.
_SPECIAL_AGES_S: Final = {
    "stuck": 4 * _MINUTE_S,
    "loop": 9 * _MINUTE_S,
    "large output": 11 * _MINUTE_S,
    "cost spike": 14 * _MINUTE_S,
    "one by one": 17 * _MINUTE_S,
    "rate limit": 20 * _MINUTE_S,
    "retry storm": 22 * _MINUTE_S,
    "broken cache": 25 * _MINUTE_S,
    "straggler": 28 * _MINUTE_S,
    "crash": 31 * _MINUTE_S,
}
_LATEST_S: Final = 12 * _MINUTE_S
_SPACING_S: Final = 1.7 * _MINUTE_S
_RELEASE_S: Final = 33 * _MINUTE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An agent program: one process, one service.

    Attributes:
        name: ``service.name``.
        project: The project of its runs.
        environment: ``deployment.environment.name``.
        protocol: How it sends OTLP: ``http/protobuf`` or ``grpc``.
        kinds: The runs that it makes, by name, with how often.
    """

    name: str
    project: str
    environment: str
    protocol: str
    kinds: dict[str, int]


PROGRAMS: Final = (
    Program(
        name="review-crew",
        project="checkout",
        environment="production",
        protocol="http/protobuf",
        kinds={"review-pull-request": 5, "fix-issue": 4},
    ),
    Program(
        name="research-desk",
        project="market-research",
        environment="production",
        protocol="grpc",
        kinds={"research-question": 4, "summarise-inbox": 5},
    ),
    Program(
        name="support-agents",
        project="help-centre",
        environment="staging",
        protocol="http/protobuf",
        kinds={"answer-ticket": 10},
    ),
    Program(
        name="migration-crew",
        project="billing",
        environment="development",
        protocol="http/protobuf",
        kinds={"migrate-module": 4},
    ),
)
# Each in a process of its own: one never returns, the other ends in mid-sentence.
ALONE: Final = {
    "stuck": Program(
        name="indexer",
        project="checkout",
        environment="production",
        protocol="http/protobuf",
        kinds={},
    ),
    "crash": Program(
        name="migration-crew",
        project="billing",
        environment="development",
        protocol="http/protobuf",
        kinds={},
    ),
}
_SPECIAL_PROGRAMS: Final = {
    "loop": "review-crew",
    "cost spike": "research-desk",
    "one by one": "review-crew",
    "straggler": "review-crew",
    "rate limit": "research-desk",
    "retry storm": "review-crew",
    "broken cache": "migration-crew",
    "large output": "review-crew",
}
_USERS: Final = ("ada", "grace", "linus", "margaret", "dennis", "barbara")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run to be made.

    Attributes:
        kind: Its name, which says what happens in it.
        special: What is odd about it, or empty.
        seed: Of everything random in it.
        start_ns: When it begins, in nanoseconds since 1970.
        session: The conversation.
        user: For whom.
        in_process: Whether one of its sub-agents is a process of its own.
        released: Whether it works with the fleet's new version, which came when half
            of the ordinary runs had been: its searches are slower, its reports dearer,
            and its customers are not always found.
    """

    kind: str
    special: str
    seed: str
    start_ns: int
    session: str
    user: str
    in_process: bool = False
    released: bool = False


def plan_fleet(
    runs: int, *, seed: int, demo_id: str, now_ns: int
) -> dict[str, list[RunPlan]]:
    """Plan the runs of each process.

    Args:
        runs: How many in all, `FEWEST_RUNS` or more.
        seed: Two plans of one seed differ in ids and start times alone.
        demo_id: Goes into the session ids, so that no two demos share a session.
        now_ns: The present.

    Returns:
        Runs, oldest first, by process: names of `PROGRAMS` and keys of `ALONE`.
    """
    rng = Random(seed)  # noqa: S311 - a play, not a secret
    plans: dict[str, list[RunPlan]] = {program.name: [] for program in PROGRAMS}
    sessions: dict[str, str] = {}
    ordinary = runs - len(SPECIALS)
    # The odd runs are all of the new version: where few ordinary ones are, it took a
    # while to come.
    first_s = _LATEST_S + (ordinary - ordinary // 2) * _SPACING_S
    pause_s = max(0.0, _RELEASE_S - first_s)
    for number in range(ordinary):
        program, kind = _pick(number, rng)
        user = rng.choice(_USERS)
        # Two of three runs go on with the user's conversation with that program.
        conversation = f"{user}/{program.name}"
        if conversation not in sessions or rng.random() < 0.34:
            sessions[conversation] = f"{user}-{demo_id}-{number}"
        age_s = _LATEST_S + (ordinary - 1 - number + rng.random() / 2) * _SPACING_S
        released = number >= ordinary // 2
        if not released:
            age_s += pause_s
        first_of_kind = all(plan.kind != kind for plan in plans[program.name])
        plans[program.name].append(
            RunPlan(
                kind=kind,
                special="",
                seed=f"{seed}/{number}",
                start_ns=now_ns - int(age_s * 1e9),
                session=sessions[conversation],
                user=user,
                in_process=kind == "migrate-module" and first_of_kind,
                released=released,
            )
        )
    for special in SPECIALS:
        process = _SPECIAL_PROGRAMS.get(special, special)
        plan = _odd(special, rng, seed=seed, demo_id=demo_id, now_ns=now_ns)
        plans.setdefault(process, []).append(plan)
    return plans


def _odd(special: str, rng: Random, *, seed: int, demo_id: str, now_ns: int) -> RunPlan:
    return RunPlan(
        kind=SPECIALS[special],
        special=special,
        seed=f"{seed}/{special}",
        start_ns=now_ns - int(_SPECIAL_AGES_S[special] * 1e9),
        session=f"{special.replace(' ', '-')}-{demo_id}",
        user=rng.choice(_USERS),
        released=True,
    )


def _pick(number: int, rng: Random) -> tuple[Program, str]:
    """Choose a kind of run: each once to begin with, then by weight."""
    choices = [(program, kind) for program in PROGRAMS for kind in program.kinds]
    if number < len(choices):
        return choices[number]
    weights = [program.kinds[kind] for program, kind in choices]
    return rng.choices(choices, weights)[0]

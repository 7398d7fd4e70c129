"""``fleetspan route``: which model for which task, by what became of tasks before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli._since import parse_since
from fleetspan_collector.cli._source import open_source
from fleetspan_collector.cli._text import plain
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.routing.cache_loss import loss_by_prices
from fleetspan_collector.routing.chooser import details_of, read_tiers
from fleetspan_collector.routing.decisions import log_of, policy_of
from fleetspan_collector.routing.memory import Source, remember
from fleetspan_collector.routing.texts import answered, judged_by_half, questions
from fleetspan_routing._errors import LogError, SupportError
from fleetspan_routing.complexity import classify, score
from fleetspan_routing.decision_log import Log, Other
from fleetspan_routing.off_policy import Estimate, evaluate
from fleetspan_routing.outcomes import Outcomes, Task, tool_set
from fleetspan_routing.report import compare
from fleetspan_routing.router import Decision, Policy, Router, RoutingError
from fleetspan_routing.tiers import Tiers

TiersFile = Annotated[
    Path, typer.Option("--tiers", help="File of tiers.", metavar="FILE")
]
Role = Annotated[str, typer.Option("--role", help="Type or name of the agent.")]
Workload = Annotated[str, typer.Option("--workload", help="The program, its service.")]
Repository = Annotated[str, typer.Option("--repository", help="What it works on.")]
Text_ = Annotated[str, typer.Option("--task", help="What is asked, in words.")]
Tokens = Annotated[
    int | None, typer.Option("--tokens", min=0, help="Tokens of its first request.")
]
Files = Annotated[
    int | None, typer.Option("--files", min=0, help="Files that it is about.")
]
Target = Annotated[
    float,
    typer.Option("--target", help="Share of the strongest model's quality to keep."),
]
Tools = Annotated[
    str, typer.Option("--tools", help="Its tools, with commas between them.")
]
Present = Annotated[
    str, typer.Option("--present", help="The model that it goes on from.")
]
Cached = Annotated[
    int,
    typer.Option(
        "--cached", min=0, help="Tokens that the present model has in its cache."
    ),
]
Failing = Annotated[
    list[str] | None,
    typer.Option("--failing", help="A model whose provider fails; may be repeated."),
]
TrustStatus = Annotated[
    bool,
    typer.Option(
        "--trust-status",
        help="Take it for success that an agent ended without an error.",
    ),
]
Since = Annotated[
    str, typer.Option("--since", help="From then on: 3d, 2h, a date.", metavar="WHEN")
]
Explore = Annotated[
    float, typer.Option("--explore", help="Share of tasks that try another model.")
]
T = TypeVar("T")
_WIDE: Final = 120
_COLUMNS: Final = (
    *("model", "tier", "quality", "at least", "outcomes", "cost", "why not"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Options that say which task it is, and how a model is chosen for it."""

    tiers: TiersFile
    role: Role = ""
    workload: Workload = ""
    repository: Repository = ""
    tools: Tools = ""
    task: Text_ = ""
    tokens: Tokens = None
    present: Present = ""
    cached: Cached = 0
    target: Target = 0.95
    failing: Failing = None
    trust_status: TrustStatus = False

    def as_task(self) -> Task:
        """Return the task."""
        return Task(
            workload=self.workload,
            role=self.role,
            tools=tool_set(self.tools.split(",")),
            repository=self.repository,
            kind=str(classify(self.task, agent_type=self.role)),
            context_tokens=self.tokens,
            cached_tokens=self.cached,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Options that say which policy, and over which decisions."""

    tiers: TiersFile
    since: Since = "30d"
    target: Target = 0.95
    explore: Explore = 0.0
    trust_status: TrustStatus = False


def pick(invocation: Invocation, asked: Asked) -> None:
    """Choose a model for a task; prints its name, and the reason beside."""
    decision, _ = _decided(invocation, asked)
    if invocation.json:
        invocation.write_json(_document(decision))
        return
    invocation.out.print(Text(plain(decision.model)))
    invocation.err.print(Text(plain(decision.reason)), soft_wrap=True)


def explain(invocation: Invocation, asked: Asked, files: Files = None) -> None:
    """Show what is known of every model for a task, and how complex it looks."""
    decision, known = _decided(invocation, asked)
    looks = score(
        context_tokens=asked.tokens,
        kind=classify(asked.task, agent_type=asked.role),
        files=files,
        weak_failures=None,
    )
    factors = {
        name: getattr(looks, name) for name in ("context", "kind", "files", "failures")
    }
    if invocation.json:
        complexity = {
            "total": looks.total,
            "task_kind": str(looks.task_kind),
            "factors": factors,
        }
        invocation.write_json(_document(decision) | {"complexity": complexity})
        return
    invocation.out.print(Text(plain(f"{decision.model}: {decision.reason}")))
    invocation.out.print(_table(decision))
    shown = ", ".join(
        f"{name} {value:g}" for name, value in factors.items() if value is not None
    )
    invocation.err.print(
        Text(
            plain(
                f"looks {looks.total if looks.total is None else round(looks.total, 1)}"
                f" of 10 complex ({looks.task_kind}; {shown or 'nothing is known'}), "
                f"which is no reason; {sum(known.models().values()):.0f} outcomes are"
            )
        ),
        soft_wrap=True,
    )


def replay(invocation: Invocation, asked: Replayed) -> None:
    """Estimate what a policy would have cost, and with which quality, with an interval."""
    tiers = read_tiers(asked.tiers)
    log, policy, judged = _logged(invocation, asked, tiers)
    found = _told(lambda: evaluate(log, policy))
    paid = log.cost_usd[~np.isnan(log.cost_usd)]
    quality = float(log.quality.mean())
    cost_usd = float(paid.mean()) if len(paid) else None
    document = {
        "decisions": found.decisions,
        "effective": found.effective,
        "shares": dict(found.shares),
        "quality": asdict(found.quality.doubly_robust),
        "cost_usd": asdict(found.cost_usd.doubly_robust) if found.cost_usd else None,
        "was": {"quality": quality, "cost_usd": cost_usd},
        "texts": judged,
    }
    if invocation.json:
        invocation.write_json(document)
        return
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("", "quality", "cost", "models"):
        table.add_column(name, overflow="fold", no_wrap=not name)
    table.add_row("as it was", f"{quality:.3f}", _usd(cost_usd), "")
    table.add_row(
        "this policy",
        _between(found.quality.doubly_robust),
        _between(found.cost_usd.doubly_robust if found.cost_usd else None),
        _shares(found.shares),
    )
    invocation.out.print(table)
    _worth(invocation, found.decisions, found.effective, judged)


def report(invocation: Invocation, asked: Replayed) -> None:
    """Put a policy beside always the strongest, a random mix, and the best single model."""
    tiers = read_tiers(asked.tiers)
    log, policy, judged = _logged(invocation, asked, tiers)
    found = _told(lambda: compare(log, policy, tiers.models))
    if invocation.json:
        invocation.write_json({**asdict(found), "texts": judged})
        return
    wide = invocation.out.width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("", "quality", "cost", "policy better by", *(["models"] * wide)):
        table.add_column(name, overflow="fold", no_wrap=not name)
    for line in found.lines:
        cells = (
            plain(line.name),
            _between(line.quality) if not line.untold else "not to be told",
            _between(line.cost_usd),
            _between(line.gain) if line.gain else "",
            _shares(line.shares),
        )
        table.add_row(*cells[: 4 + wide])
    invocation.out.print(table)
    _worth(invocation, found.decisions, found.policy.effective, judged)


def _logged(
    invocation: Invocation, asked: Replayed, tiers: Tiers
) -> tuple[Log, Other, list[dict[str, Any]]]:
    """Return what was decided, a policy, and what was judged of texts for it."""
    trust = asked.trust_status
    policy = _policy(asked.target, asked.explore)
    began = parse_since(asked.since)
    since_s = None if began is None else began.timestamp()
    with open_source(invocation.load().settings, analysed=True) as source:
        read = Source.of_ask(source.sql)
        rows = read.outcomes(since_s)
        texts = read.texts(since_s, trust_status=trust)
    known = remember(rows, tiers, trust_status=trust)
    log = _told(lambda: log_of(rows, tiers, texts=texts, trust_status=trust))
    halves = judged_by_half(texts, tiers, policy.target)
    router = Router(tiers=tiers, outcomes=known, policy=policy)
    judged = [
        {"workload": workload, "may": verdict.may, "reason": verdict.reason}
        for half in halves
        for workload, verdict in sorted(half.items())
    ]
    return log, policy_of(router, time.time(), halves), judged


def _policy(target: float, explore: float) -> Policy:
    try:
        return Policy(target=target, explore=explore, by_text=True)
    except ValueError as error:
        raise UsageError(
            f"--target {target:g} and --explore {explore:g} cannot be used",
            because=str(error),
            suggestion="--target 0.95 --explore 0.05",
        ) from error


def _told(ask: Callable[[], T]) -> T:
    """Ask the log; what it cannot tell is an error that says what would help."""
    try:
        return ask()
    except (LogError, SupportError) as error:
        raise CollectorError(
            error.error, because=error.because, suggestion=error.suggestion
        ) from error


def _between(estimate: Estimate | None) -> str:
    if estimate is None:
        return "unknown"
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.4g}"


def _shares(shares: Mapping[str, float]) -> str:
    return plain(", ".join(f"{name} {share:.0%}" for name, share in shares.items()))


def _worth(
    invocation: Invocation,
    decisions: int,
    effective: float,
    judged: list[dict[str, Any]],
) -> None:
    for each in judged:
        invocation.err.print(
            plain(f"half of the texts of {each['workload']}: {each['reason']}"),
            soft_wrap=True,
        )
    invocation.err.print(
        f"from {decisions} decisions, worth {effective:.0f} of this policy's own; US dollars a task; "
        "in brackets with 95 % confidence. The policy knows these outcomes already, so it "
        "looks a little better than it is",
        soft_wrap=True,
    )


def _decided(invocation: Invocation, asked: Asked) -> tuple[Decision, Outcomes]:
    tiers, trust = read_tiers(asked.tiers), asked.trust_status
    for option, models in (
        ("--failing", asked.failing or ()),
        ("--present", (asked.present,) if asked.present else ()),
    ):
        unknown = [model for model in models if model not in tiers.models]
        if unknown:
            raise UsageError(
                f"{option} {unknown[0]} cannot be used",
                because=f"the tiers have no such model, but {', '.join(tiers.models)}",
                suggestion=f"{option} {tiers.models[0]}",
            )
    policy = _policy(asked.target, 0.0)
    settings = invocation.load().settings
    with open_source(settings, analysed=True) as opened:
        source = Source.of_ask(opened.sql)
        known = remember(source.outcomes(), tiers, trust_status=trust)
        texts = source.texts(trust_status=trust) if asked.task else []
    router = Router(
        tiers=tiers,
        outcomes=known,
        policy=policy,
        texts=dict(answered(questions(texts, tiers, asked.target))),
        cache_loss=loss_by_prices(PriceBook.load(settings.price_override_file)),
    )
    try:
        decision = router.pick(
            asked.as_task(),
            text=asked.task,
            present=asked.present,
            failing=asked.failing or (),
            at_s=time.time(),
        )
    except RoutingError as error:
        raise UsageError(
            "no model can be chosen",
            because=str(error),
            suggestion="name a fallback in the tiers, or forbid fewer models",
        ) from error
    return decision, known


def _document(decision: Decision) -> dict[str, Any]:
    return {
        "model": decision.model,
        "reason": decision.reason,
        "propensity": decision.propensity,
        **details_of(decision),
    }


def _table(decision: Decision) -> Table:
    table = Table(box=None, pad_edge=False, header_style="")
    for name in _COLUMNS:
        table.add_column(name, overflow="fold", no_wrap=name == "model")
    for each in details_of(decision)["alternatives"]:
        cost = "unknown" if each["cost_usd"] is None else f"{each['cost_usd']:.4f} USD"
        table.add_row(
            *(plain(each["model"]), plain(each["tier"]), f"{each['quality']:.3f}"),
            *(f"{each['at_least']:.3f}", f"{each['outcomes']:.0f}", cost),
            plain(each["against"]),
        )
    return table


route: Final = typer.Typer(help="Which model for which task.")
for _name, _command in (
    ("pick", pick),
    ("explain", explain),
    ("replay", replay),
    ("report", report),
):
    route.command(_name)(with_common_options(_command))

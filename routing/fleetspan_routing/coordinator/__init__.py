"""Scout, plan, build: steps that run as soon as what they need is done.

::

    import asyncio

    from fleetspan_routing.coordinator import Phase, Step, StepContext, Workflow

    async def scout(context: StepContext) -> list[str]:
        return ["a.py", "b.py"]

    async def plan(context: StepContext) -> list[str]:
        return sorted(context.results["scout"])

    async def build(context: StepContext) -> str:
        return f"{context.name} is done"

    def builders(files: list[str]) -> list[Step]:
        return [Step(name=f"build {f}", phase=Phase.BUILD, handler=build) for f in files]

    workflow = Workflow(
        name="release",
        steps=[
            Step(name="scout", phase=Phase.SCOUT, handler=scout),
            Step(name="plan", phase=Phase.PLAN, handler=plan, needs=("scout",),
                 grow=builders),
        ],
    )
    result = asyncio.run(workflow.run())
"""

from fleetspan_routing.coordinator._errors import (
    CoordinatorError,
    GraphError,
    OtherGraphError,
    ResultError,
    SnapshotError,
    StepError,
    StepTimeout,
    WorkflowFailed,
)
from fleetspan_routing.coordinator._scheduler import OnFailure
from fleetspan_routing.coordinator.graph import Graph
from fleetspan_routing.coordinator.limits import Limits
from fleetspan_routing.coordinator.result import Status, StepOutcome, WorkflowResult
from fleetspan_routing.coordinator.step import (
    Handler,
    Phase,
    Retry,
    Step,
    StepContext,
)
from fleetspan_routing.coordinator.workflow import Workflow

__all__ = [
    "CoordinatorError",
    "Graph",
    "GraphError",
    "Handler",
    "Limits",
    "OnFailure",
    "OtherGraphError",
    "Phase",
    "ResultError",
    "Retry",
    "SnapshotError",
    "Status",
    "Step",
    "StepContext",
    "StepError",
    "StepOutcome",
    "StepTimeout",
    "Workflow",
    "WorkflowFailed",
    "WorkflowResult",
]

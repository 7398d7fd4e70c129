"""An agent in the making: turn by turn, with a conversation that grows as it works."""

from __future__ import annotations

from typing import Final, TypeAlias

from tests.faults.drawing import Conversation, Draw, Model, ToolKind, result_tokens, use
from tests.faults.plan import (
    Agent,
    Call,
    Child,
    Join,
    Pause,
    Row,
    Spawn,
    Step,
    Together,
    Tool,
)

_COMPACTS_AT: Final = (48_000, 60_000)
_RETRIES: Final = 0.01

Tools: TypeAlias = tuple[tuple[ToolKind, float], ...]
"""Kinds of tools, and how often each is used among the others."""


class Worker:
    """An agent in the making.

    Args:
        draw: Chance.
        name: Of the agent, and its type.
        model: Its model.
        task: What it was asked to do.
        system: Tokens of system prompt, tools and task.
    """

    def __init__(self, draw: Draw, name: str, model: Model, task: str, system: int):
        self._draw = draw
        self._model = model
        self._talk = Conversation(
            draw,
            model,
            round(draw.around(system, 0.1)),
            compacts_at=draw.whole(*_COMPACTS_AT),
        )
        self._steps: list[Step] = []
        self._row: Row = {
            "AgentId": draw.id("agent"),
            "SpanId": draw.span_id(),
            "Name": name,
            "Type": name,
            "Model": model.name,
            "Task": task,
        }

    def turn(self, tools: list[Tool], output: float = 160) -> None:
        """Add a call and the tools that it asked for."""
        if self._draw.chance(_RETRIES):
            refused, wait = _refusal(self._draw, self._model)
            self._steps += [refused, wait]
        self._steps.append(self._talk.call(max(15, round(self._around(output)))))
        if len(tools) == 1:
            self._steps.append(tools[0])
        else:
            self._steps.append(Together(tools=tools))
        for tool in tools:
            self._talk.hears(result_tokens(tool) + 30)

    def turns(self, count: int, kinds: Tools, output: float = 160) -> None:
        """Add turns with tools of some kinds, now and then two at once."""
        for _ in range(count):
            chosen = self._draw.random.choices(
                [kind for kind, _ in kinds],
                [weight for _, weight in kinds],
                k=2 if self._draw.chance(0.15) else 1,
            )
            self.turn([use(self._draw, kind) for kind in chosen], output)

    def spawn(
        self,
        agents: list[Agent],
        *,
        at_once: int = 0,
        output: float = 500,
        in_background: bool = False,
        by_tool: bool = True,
    ) -> None:
        """Add a call that starts agents, and wait for them."""
        if by_tool:
            self._steps.append(self._talk.call(round(self._around(output))))
        self._steps.append(
            Spawn(
                children=[self._child(agent, by_tool) for agent in agents],
                at_once=at_once,
                apart_s=self._draw.between(0.05, 0.6),
                background=in_background,
            )
        )
        self._talk.hears(300 * len(agents))

    def listens(self) -> None:
        """Answer, and wait for what a person says next."""
        self._steps.append(self._talk.call(round(self._around(350)), "end_turn"))
        self._steps.append(Pause(seconds=self._draw.between(20.0, 240.0)))
        self._row["Activations"] = int(self._row.get("Activations", 1)) + 1
        self._talk.hears(self._draw.whole(20, 200))

    def join(self) -> None:
        """Wait for what works in the background."""
        self._steps.append(self._talk.call(60))
        self._steps.append(Join(row=self._named("TaskOutput", 2_000)))
        self._talk.hears(500)

    def done(self, answer: float) -> Agent:
        """Return the agent, which ends with an answer of about so many tokens."""
        self._steps.append(self._talk.call(round(self._around(answer)), "end_turn"))
        return Agent(row=self._row, steps=self._steps)

    def _child(self, agent: Agent, by_tool: bool) -> Child:
        spawn = self._named("Task", 1_200) if by_tool else None
        return Child(
            agent=agent,
            spawn=spawn,
            queue_s=self._draw.between(0.02, 0.3) if by_tool else 0.0,
        )

    def _named(self, tool: str, size: int) -> Row:
        return {
            "ToolCallId": self._draw.id("tool"),
            "SpanId": self._draw.span_id(),
            "Tool": tool,
            "ArgumentsHash": self._draw.hash(),
            "ResultHash": self._draw.hash(),
            "ResultBytes": size,
        }

    def _around(self, tokens: float) -> float:
        return self._draw.around(tokens, 0.6)


def _refusal(draw: Draw, model: Model) -> tuple[Call, Pause]:
    """Return a call that was refused at once, and the second or two until the next."""
    refused = Call(
        seconds=draw.between(0.2, 0.8),
        row={
            "CallId": draw.id("call"),
            "SpanId": draw.span_id(),
            "Model": model.name,
            "Provider": model.provider,
            "Error": "529 overloaded_error",
        },
    )
    return refused, Pause(seconds=draw.between(0.8, 2.5))

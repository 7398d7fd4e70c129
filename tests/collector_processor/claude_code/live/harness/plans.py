"""What the fake provider answers, step by step, to whom.

A conversation is recognised by a marker in its first text, ``SCRIPT-`` and a name, so
that agents at work at the same time can be answered in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]
Plan = list["Step"]

LAST_AGENT = "{last agent}"
"""Stands in an argument for the id of the agent that the conversation named last."""

LAST_FILE = "{last file}"
"""Stands in an argument for the file that a mark in the conversation named last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One answer of the provider.

    Attributes:
        blocks: Content blocks of the message; ids of tool calls are given later.
        refusal: HTTP status to answer with instead; 0: none.
        once: Whether only the first request is refused, and the next one answered.
    """

    blocks: tuple[Block, ...] = ()
    refusal: int = 0
    once: bool = False


def says(*blocks: Block) -> Step:
    """Return a step that answers with blocks."""
    return Step(blocks=blocks)


def text(words: str) -> Block:
    """Return a text block."""
    return {"type": "text", "text": words}


def thinking(words: str) -> Block:
    """Return a thinking block."""
    return {"type": "thinking", "thinking": words, "signature": "c2ln"}


def call(tool: str, **arguments: Any) -> Block:
    """Return a tool call."""
    return {"type": "tool_use", "name": tool, "input": arguments}


def bash(command: str) -> Block:
    """Return a call of the shell."""
    return call("Bash", command=command, description="Run it")


def agent(
    description: str, kind: str, prompt: str, *, background: bool = False
) -> Block:
    """Return a call that begins a sub-agent."""
    return call(
        "Agent",
        description=description,
        subagent_type=kind,
        prompt=prompt,
        run_in_background=background,
    )


def plans(project: str) -> dict[str, Plan]:
    """Return all plans by marker.

    Args:
        project: Folder of the project that the client works in.
    """
    seed = f"{project}/seed.txt"
    return {
        # Two sub-agents in parallel, one of which has one of its own, a tool that fails,
        # a sub-agent in the background, and one request that is refused once.
        "SCRIPT-MAIN": [
            says(
                thinking("plan"),
                text("I will look around first."),
                call("Read", file_path=seed),
                bash("echo main-step-0"),
            ),
            says(
                text("Two helpers in parallel."),
                agent(
                    "alpha survey", "general-purpose", "SCRIPT-ALPHA survey the seed"
                ),
                agent("beta scout", "code-scout", "SCRIPT-BETA scout with a helper"),
            ),
            says(bash("echo boom >&2; exit 3")),
            says(
                text("One helper in the background."),
                agent(
                    "gamma background",
                    "general-purpose",
                    "SCRIPT-GAMMA background job",
                    background=True,
                ),
            ),
            says(
                call("Write", file_path=f"{project}/out.txt", content="done by main\n")
            ),
            says(text("MAIN DONE.")),
            says(text("MAIN acknowledges the background result.")),
        ],
        "SCRIPT-ALPHA": [
            says(text("alpha reads"), call("Read", file_path=seed)),
            Step(
                blocks=(bash("echo alpha-step-1; sleep 0.5"),), refusal=529, once=True
            ),
            says(text("ALPHA RESULT: seed has 2 lines.")),
        ],
        "SCRIPT-BETA": [
            says(
                bash("echo beta-step-0"),
                call("Read", file_path=f"{project}/missing.txt"),
            ),
            says(
                agent("delta nested", "general-purpose", "SCRIPT-DELTA nested helper")
            ),
            says(text("BETA RESULT: scouted.")),
        ],
        "SCRIPT-DELTA": [
            says(bash("echo delta-step-0")),
            says(text("DELTA RESULT: nested done.")),
        ],
        "SCRIPT-GAMMA": [
            says(bash("sleep 1; echo gamma-step-0")),
            says(text("GAMMA RESULT: background done.")),
        ],
        # A model that never learns, one that begins five helpers at once, and one that
        # works on.
        "SCRIPT-LOOP": [*[says(bash("cat seed.txt"))] * 8, says(text("LOOP DONE."))],
        "SCRIPT-FAN": [
            says(
                *(
                    agent(f"part {n}", "general-purpose", "SCRIPT-PART one part")
                    for n in range(5)
                )
            ),
            says(text("FAN DONE.")),
        ],
        "SCRIPT-PART": [says(bash("sleep 2; echo part")), says(text("PART DONE."))],
        "SCRIPT-WORK": [
            *(says(bash(f"echo step {n}")) for n in range(6)),
            says(text("WORK DONE.")),
        ],
        "SCRIPT-FOLLOWUP": [
            says(bash("echo followup")),
            says(text("FOLLOWUP DONE.")),
        ],
        # A call that nobody allows, in a mode where nobody can be asked.
        "SCRIPT-DENIED": [
            says(bash("rm -rf ./nothing"), call("Read", file_path=seed)),
            says(
                agent("denied too", "general-purpose", "SCRIPT-REFUSED may not write")
            ),
            says(text("DENIED DONE.")),
        ],
        "SCRIPT-REFUSED": [
            says(call("Write", file_path=f"{project}/no.txt", content="no\n")),
            says(text("REFUSED RESULT.")),
        ],
        # One sub-agent's request is refused for good, its sibling goes on.
        "SCRIPT-FAILING": [
            says(
                agent(
                    "doomed", "general-purpose", "SCRIPT-DOOMED will not be answered"
                ),
                agent("sibling", "code-scout", "SCRIPT-SIBLING will be"),
            ),
            says(text("FAILING DONE.")),
        ],
        "SCRIPT-DOOMED": [
            says(bash("echo doomed-step-0")),
            Step(refusal=400),
        ],
        "SCRIPT-SIBLING": [
            says(bash("echo sibling-step-0; sleep 0.3")),
            says(text("SIBLING RESULT.")),
        ],
        # Five at once, of one type, one description and one prompt: only ids differ.
        "SCRIPT-FIVE": [
            says(
                *[
                    agent("same job", "general-purpose", "SCRIPT-TWIN same prompt")
                    for _ in range(5)
                ]
            ),
            says(text("FIVE DONE.")),
        ],
        "SCRIPT-TWIN": [
            says(bash("echo twin; sleep 0.3"), call("Read", file_path=seed)),
            says(text("TWIN RESULT.")),
        ],
        # Two in the background; one ends while its own helper is still at work, and is
        # woken when that one ends.
        "SCRIPT-BACKGROUND": [
            says(
                agent(
                    "outer",
                    "code-scout",
                    "SCRIPT-OUTER begins a helper and ends",
                    background=True,
                ),
                agent(
                    "other",
                    "general-purpose",
                    "SCRIPT-OTHER works for itself",
                    background=True,
                ),
            ),
            says(text("BACKGROUND begun.")),
            says(text("BACKGROUND acknowledges one.")),
            says(text("BACKGROUND acknowledges two.")),
            says(text("BACKGROUND acknowledges three.")),
        ],
        "SCRIPT-OUTER": [
            says(
                agent(
                    "inner",
                    "general-purpose",
                    "SCRIPT-INNER takes a while",
                    background=True,
                )
            ),
            says(text("OUTER waits for its helper.")),
            says(bash("echo outer-woken")),
            says(text("OUTER RESULT: helper has ended.")),
        ],
        "SCRIPT-INNER": [
            says(bash("sleep 2; echo inner-step-0")),
            says(text("INNER RESULT.")),
        ],
        # One sub-agent is sent a message after it has ended, and works on.
        "SCRIPT-RESUMING": [
            says(agent("first job", "code-scout", "SCRIPT-FIRST do this")),
            says(
                call(
                    "SendMessage",
                    to=LAST_AGENT,
                    summary="Go on",
                    message="SCRIPT-SECOND do that too",
                )
            ),
            says(text("RESUMING waits.")),
            says(text("RESUMING DONE.")),
        ],
        "SCRIPT-FIRST": [
            says(bash("echo first-step-0")),
            says(text("FIRST RESULT.")),
        ],
        "SCRIPT-SECOND": [
            says(bash("sleep 1; echo second-step-0")),
            says(text("SECOND RESULT.")),
        ],
        # A long output, and the whole of it read back.
        "SCRIPT-LONG": [
            says(
                bash(
                    "for i in $(seq 2000); do echo line $i; "
                    "if [ $i = 1000 ]; then echo ERROR: disk /dev/sdb1 is full; fi; done"
                )
            ),
            says(call("Read", file_path=LAST_FILE)),
            says(text("LONG DONE.")),
        ],
        # The same, of a tool of an MCP server.
        "SCRIPT-ORDERS": [
            says(call("mcp__shop__orders")),
            says(call("Read", file_path=LAST_FILE)),
            says(text("ORDERS DONE.")),
        ],
        "SCRIPT-OTHER": [
            says(bash("echo other-step-0")),
            says(text("OTHER RESULT.")),
        ],
    }

"""What kind of task a text is, told by its words.

The kinds, and how hard each is held to be, are those of the system that Fleetspan
carries on from. Words are a weak sign: a kind is said only when enough of them agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from fleetspan_routing._kind_words import (
    AGENT_TYPES,
    ERROR_NAMES,
    NAMED_ERROR,
    PHRASES,
    WORDS,
)


class TaskKind(StrEnum):
    """A kind of task; `UNKNOWN` is the empty text."""

    UNKNOWN = ""
    LOG_SUMMARY = "log_summary"
    FILE_SCAN = "file_scan"
    SYNTAX_CHECK = "syntax_check"
    DATA_EXTRACTION = "data_extraction"
    DOCUMENTATION = "documentation"
    CODE_IMPLEMENTATION = "code_implementation"
    REFACTORING = "refactoring"
    BUG_FIX = "bug_fix"
    TEST_WRITING = "test_writing"
    CODE_REVIEW = "code_review"
    API_INTEGRATION = "api_integration"
    DEBUGGING_COMPLEX = "debugging_complex"
    PERFORMANCE_OPTIMIZATION = "performance_optimization"
    PLANNING = "planning"
    ARCHITECTURE_DESIGN = "architecture_design"
    SECURITY_REVIEW = "security_review"
    STRATEGIC_DECISION = "strategic_decision"
    PRODUCTION_CRITICAL = "production_critical"


HARDNESS: Final[Mapping[TaskKind, int]] = {
    TaskKind.LOG_SUMMARY: 1,
    TaskKind.FILE_SCAN: 1,
    TaskKind.SYNTAX_CHECK: 1,
    TaskKind.DATA_EXTRACTION: 1,
    TaskKind.DOCUMENTATION: 2,
    TaskKind.CODE_IMPLEMENTATION: 3,
    TaskKind.REFACTORING: 3,
    TaskKind.BUG_FIX: 3,
    TaskKind.TEST_WRITING: 4,
    TaskKind.CODE_REVIEW: 4,
    TaskKind.API_INTEGRATION: 5,
    TaskKind.DEBUGGING_COMPLEX: 6,
    TaskKind.PERFORMANCE_OPTIMIZATION: 7,
    TaskKind.PLANNING: 7,
    TaskKind.ARCHITECTURE_DESIGN: 9,
    TaskKind.SECURITY_REVIEW: 9,
    TaskKind.STRATEGIC_DECISION: 10,
    TaskKind.PRODUCTION_CRITICAL: 10,
}
"""How hard the original holds each kind to be, 1 to 10."""

_DECLARED: Final = frozenset(kind.value for kind in TaskKind if kind)
_HEAD_CHARACTERS: Final = 1200
_HEAD_WORDS: Final = 30
"""What is asked stands at the beginning; later words are as often context."""
_HEAD_FACTOR: Final = 2
_FIRST_FACTOR: Final = 3
"""The first word of a task is as a rule the verb of what is asked."""
_NAMED_FACTOR: Final = 3
"""An agent's type and name were chosen to say what it is for."""
_LEAST_VOTES: Final = 3
_LONGEST_PLAIN: Final = 9
"""Characters of ``exception``, which alone is no name of an error."""
_MOST_REMEMBERED: Final = 1024
_WORD: Final = re.compile(r"[a-z][a-z0-9]*")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def classify(text: str, agent_type: str = "", name: str = "") -> TaskKind:
    """Tell the kind of a task.

    Args:
        text: What is asked; only its first 1,200 characters are looked at. ``""`` when
            it is not known.
        agent_type: The type of the agent that does it, such as ``code-reviewer``. The
            name of a kind is taken at its word.
        name: Its name, likewise.

    Returns:
        The kind with the most votes, the harder one of two that are equal;
        `TaskKind.UNKNOWN` when too few words say anything.
    """
    return _classified(text[:_HEAD_CHARACTERS], agent_type[:200], name[:200])


@lru_cache(maxsize=_MOST_REMEMBERED)
def _classified(text: str, agent_type: str, name: str) -> TaskKind:
    for given in (agent_type, name):
        spelt = given.lower()
        if known := AGENT_TYPES.get(spelt):
            return TaskKind(known)
        if (spelt := spelt.replace("-", "_")) in _DECLARED:
            return TaskKind(spelt)
    votes: dict[str, int] = {}
    _count(_WORD.findall(text.lower()), votes)
    named = agent_type if name == agent_type else f"{agent_type} {name}"
    words = _WORD.findall(_CAMEL.sub(" ", named).lower())
    _count(words, votes, _NAMED_FACTOR)
    if not votes:
        return TaskKind.UNKNOWN
    most, _, kind = max((count, _hardness(kind), kind) for kind, count in votes.items())
    return TaskKind(kind) if most >= _LEAST_VOTES else TaskKind.UNKNOWN


def _hardness(kind: str) -> int:
    return HARDNESS[TaskKind(kind)]


def _count(words: list[str], votes: dict[str, int], factor: int = 0) -> None:
    """Add the votes of words, and of words that follow each other.

    Args:
        words: The words, small letters.
        votes: Votes by kind, to be added to.
        factor: Times which a vote counts; 0: by its place in the text.
    """
    before = ""
    for place, word in enumerate(words):
        one, two = WORDS.get(word), PHRASES.get((before, word))
        if one is None and len(word) > _LONGEST_PLAIN and word.endswith(ERROR_NAMES):
            one = NAMED_ERROR
        before = word
        for said in (one, two):
            if said is not None:
                kind, vote = said
                votes[kind] = votes.get(kind, 0) + vote * (factor or _weight(place))


def _weight(place: int) -> int:
    if place == 0:
        return _FIRST_FACTOR
    return _HEAD_FACTOR if place < _HEAD_WORDS else 1

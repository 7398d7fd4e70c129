"""What kind of task a text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetspan_routing.complexity import TaskKind, classify


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Summarize the logs of last night", "log_summary"),
        ("Find all usages of the old client", "file_scan"),
        ("Run the linter and correct every typo", "syntax_check"),
        ("Extract the invoice numbers from these PDFs into a CSV", "data_extraction"),
        ("Update the README and the docs", "documentation"),
        ("Add a dark mode toggle to the settings page", "code_implementation"),
        ("Refactor the billing module", "refactoring"),
        ("Fix the TypeError when saving an empty form", "bug_fix"),
        ("ModelForm raises ValidationError for a blank field", "bug_fix"),
        ("Write unit tests for the parser", "test_writing"),
        ("Review this pull request", "code_review"),
        ("Integrate the payment webhook", "api_integration"),
        ("Find the root cause of the race condition", "debugging_complex"),
        ("Optimize the slow report query", "performance_optimization"),
        ("Plan the migration to PostgreSQL", "planning"),
        ("Design the architecture of the billing service", "architecture_design"),
        ("Review this change for security vulnerabilities", "security_review"),
        ("Choose a pricing strategy and list the trade-offs", "strategic_decision"),
        ("We have a production outage: checkout is down", "production_critical"),
    ],
)
def test_a_kind_is_told_by_its_words(text: str, kind: str) -> None:
    """Every kind is found in a plain sentence that asks for it."""
    assert classify(text) == kind


@pytest.mark.parametrize(
    ("agent_type", "name", "kind"),
    [
        ("code-reviewer", "", "code_review"),
        ("security-reviewer", "security-reviewer", "security_review"),
        ("Explore", "", "file_scan"),
        ("Plan", "Plan", "planning"),
        ("", "TestWriter", "test_writing"),
        ("strategic-decision", "", "strategic_decision"),
        ("worker", "refactoring", "refactoring"),
        ("general-purpose", "debugger-2", "debugging_complex"),
    ],
)
def test_an_agent_is_named_for_what_it_does(
    agent_type: str, name: str, kind: str
) -> None:
    """Without a text, type and name of the agent say it."""
    assert classify("", agent_type, name) == kind


def test_a_name_outweighs_stray_words() -> None:
    """What an agent is called counts more than a word of its task."""
    text = "Look at the change. The error message is fine."
    assert classify(text, "code-reviewer") is TaskKind.CODE_REVIEW


@pytest.mark.parametrize(
    "text", ["", "Hello!", "an error", "please run the plan", "Forschung zu Quanten"]
)
def test_too_few_words_say_nothing(text: str) -> None:
    """A kind is not guessed."""
    assert classify(text) is TaskKind.UNKNOWN
    assert classify(text, "main", "orchestrator") is TaskKind.UNKNOWN


def test_of_two_kinds_the_harder_one_is_meant() -> None:
    """As many votes for both."""
    assert classify("", "security-audit-lint-syntax") is TaskKind.SECURITY_REVIEW


def test_only_the_beginning_is_read() -> None:
    """A task may be a megabyte long; what is asked stands first."""
    text = "Write unit tests. " + "padding " * 150 + "production outage " * 50_000
    assert classify(text) is TaskKind.TEST_WRITING


@given(st.text(max_size=300), st.text(max_size=30), st.text(max_size=30))
def test_any_text_has_an_answer(text: str, agent_type: str, name: str) -> None:
    """Whatever stands there."""
    assert classify(text, agent_type, name) in TaskKind

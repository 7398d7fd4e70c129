"""Which words, and which two words in a row, speak for which kind of task."""

from __future__ import annotations

from typing import Final

AGENT_TYPES: Final = {
    "explore": "file_scan",
    "plan": "planning",
    "statusline-setup": "code_implementation",
}
"""Types of agents that a client brings along, by what it says they are for."""

_STRONG: Final = 3
_PLAIN: Final = 2
_WEAK: Final = 1

_BY_KIND: Final = {
    "log_summary": (
        "summarize summarise tldr summarizer summariser",
        "summary digest",
        "recap",
    ),
    "file_scan": ("grep ripgrep locate", "find search explore scan", "list where"),
    "syntax_check": (
        "lint linter linting eslint typo typos typecheck",
        "syntax formatting",
        "format",
    ),
    "data_extraction": (
        "scrape scraper extraction",
        "extract parse transcribe",
        "collect convert csv",
    ),
    "documentation": (
        "readme docstring docstrings changelog tutorial",
        "docs document documentation",
        "comments guide",
    ),
    "code_implementation": (
        "implement implementation implementer coder",
        "feature develop scaffold",
        "add create build support allow",
    ),
    "refactoring": (
        "refactor refactoring deduplicate modularize",
        "rename restructure simplify cleanup",
        "migrate",
    ),
    "bug_fix": (
        "fix bug bugfix regression hotpatch",
        "fixes fixing broken crash crashes incorrect wrong fails failing traceback",
        "error errors exception raises fail unexpected expected actual incorrectly",
    ),
    "test_writing": ("unittests tester", "coverage", "tests pytest"),
    "code_review": ("reviewer critique", "review reviews", "feedback"),
    "api_integration": (
        "webhook webhooks oauth graphql",
        "integrate integration",
        "endpoint api sdk",
    ),
    "debugging_complex": (
        "debug debugger debugging deadlock segfault flaky heisenbug",
        "diagnose investigate intermittent",
        "reproduce",
    ),
    "performance_optimization": (
        "optimize optimise optimization bottleneck bottlenecks profiler",
        "performance latency throughput slow slower speed",
        "faster memory",
    ),
    "planning": ("planner roadmap", "planning milestones", "plan steps estimate"),
    "architecture_design": (
        "architecture architect architectural redesign",
        "design",
        "schema scalable",
    ),
    "security_review": (
        "vulnerability vulnerabilities cve xss csrf pentest exploit",
        "security threat audit injection",
        "secrets attacker",
    ),
    "strategic_decision": ("strategic strategy", "decide decision tradeoffs", "choose"),
    "production_critical": (
        "outage sev1 hotfix postmortem",
        "incident production",
        "rollback urgent",
    ),
}
"""By kind: words that speak for it strongly, plainly and weakly."""

ERROR_NAMES: Final = ("error", "exception", "warning")
"""Ends of the names of errors, such as ``TypeError``."""

NAMED_ERROR: Final = ("bug_fix", _PLAIN)
"""What the name of an error says."""

WORDS: Final = {
    word: (kind, vote)
    for kind, levels in _BY_KIND.items()
    for level, vote in zip(levels, (_STRONG, _PLAIN, _WEAK), strict=True)
    for word in level.split()
}

PHRASES: Final = {
    **dict.fromkeys((("log", "summary"), ("summarize", "logs")), ("log_summary", 3)),
    **dict.fromkeys((("look", "up"), ("search", "for")), ("file_scan", 2)),
    **dict.fromkeys(
        (
            *(("unit", "tests"), ("unit", "test"), ("write", "tests")),
            *(("add", "tests"), ("test", "coverage"), ("test", "writer")),
            *(("tests", "for"), ("regression", "tests")),
        ),
        ("test_writing", 4),
    ),
    **dict.fromkeys(
        (("code", "review"), ("pull", "request"), ("review", "the")),
        ("code_review", 3),
    ),
    **dict.fromkeys(
        (
            *(("root", "cause"), ("race", "condition"), ("memory", "leak")),
            *(("stack", "overflow"), ("data", "race")),
        ),
        ("debugging_complex", 5),
    ),
    **dict.fromkeys(
        (
            *(("security", "review"), ("security", "reviewer")),
            *(("security", "audit"), ("sql", "injection")),
        ),
        ("security_review", 5),
    ),
    **dict.fromkeys(
        (("system", "design"), ("design", "document"), ("data", "model")),
        ("architecture_design", 3),
    ),
    **dict.fromkeys(
        (
            *(("break", "down"), ("step", "plan"), ("a", "plan")),
            *(("plan", "the"), ("plan", "a"), ("plan", "how")),
        ),
        ("planning", 3),
    ),
    **dict.fromkeys(
        (("trade", "offs"), ("trade", "off"), ("build", "versus")),
        ("strategic_decision", 3),
    ),
    **dict.fromkeys(
        (
            *(("data", "loss"), ("production", "outage"), ("in", "production")),
            *(("production", "incident"), ("customers", "affected")),
        ),
        ("production_critical", 4),
    ),
    **dict.fromkeys(
        (("api", "client"), ("api", "integration"), ("third", "party")),
        ("api_integration", 3),
    ),
}
"""Two words in a row, and what they say besides what each says alone."""

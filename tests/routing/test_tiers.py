"""Tiers in YAML: what is taken, and what every wrong file is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from fleetspan_routing.document import DocumentError
from fleetspan_routing.tiers import Tiers, load, parse

GOOD: Final[dict[str, Any]] = {
    "tiers": {
        "weak": {"models": ["haiku", "mini"], "up_to": 3, "context_tokens": 50_000},
        "base": {"models": ["sonnet"], "up_to": 7},
        "strong": {"models": ["opus"]},
    },
    "force": {"security_review": "strong", "reviewer": "base"},
    "forbid": {"production": ["mini"]},
    "fallback": {"opus": "gpt", "sonnet": "opus"},
}


def tiers() -> Tiers:
    """Return those of the file above."""
    return parse(GOOD)


def test_every_key_is_used() -> None:
    """Tiers in their order, what is forced and forbidden, and who stands in."""
    made = tiers()
    assert [tier.name for tier in made.tiers] == ["weak", "base", "strong"]
    assert made.models == ("haiku", "mini", "sonnet", "opus")
    assert made.tiers[0].context_tokens == 50_000
    assert [made.by_complexity(c).name for c in (0, 3, 3.1, 7, 10)] == [
        *("weak", "weak", "base", "base", "strong")
    ]
    assert made.least("reviewer").name == "base"
    assert made.least("reviewer", "security_review").name == "strong"
    assert made.least("other").name == "weak"
    assert made.forbidden("production", "other") == {"mini"}
    assert made.fallback["sonnet"] == "opus"
    tier = made.tier_of("mini")
    assert tier is not None
    assert tier.name == "weak"
    assert made.tier_of("unknown") is None


def test_a_file(tmp_path: Path) -> None:
    """As a user writes it."""
    path = tmp_path / "tiers.yaml"
    path.write_text("tiers:\n  only:\n    models: [one]  # the only one\n")
    assert load(path).models == ("one",)
    path.write_text("tiers: [\n")
    with pytest.raises(DocumentError, match="not YAML"):
        load(path)
    path.write_text("tiers: !!python/object/apply:os.system [ls]\n")
    with pytest.raises(DocumentError, match="not YAML"):
        load(path)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(DocumentError, match="larger"):
        load(path)


@pytest.mark.parametrize(
    ("path", "value", "where", "because"),
    [
        ((), [], "the file", "names with values"),
        (("tires",), {}, "the file", "'tires' is not known"),
        (("tiers",), {}, "tiers", "at least one"),
        (("tiers", "base"), [], "tiers.base", "names with values"),
        (("tiers", "base", "model"), "x", "tiers.base", "'model' is not known"),
        (("tiers", "base", "models"), [], "tiers.base.models", "at least one"),
        (("tiers", "base", "models"), ["haiku"], "tiers.base.models", "in weak, too"),
        (("tiers", "base", "models"), [7], "tiers.base.models", "7 is not a name"),
        (
            ("tiers", "base", "up_to"),
            2,
            "tiers.base.up_to",
            "more than the tier before",
        ),
        (("tiers", "base", "up_to"), True, "tiers.base.up_to", "not a number"),
        (("tiers", "base", "up_to"), 11, "tiers.base.up_to", "at most 10"),
        (("tiers", "base", "up_to"), None, "tiers.base.up_to", "not a number"),
        (("tiers", "strong", "up_to"), 9, "tiers.strong.up_to", "has to reach 10"),
        (("tiers", "weak", "context_tokens"), -1, "context_tokens", "not a number"),
        (("force", "reviewer"), "best", "force.reviewer", "'best' is not one of"),
        (("forbid", "production"), ["gpt"], "forbid.production", "'gpt' is not one of"),
        (("forbid", "security_review"), ["opus"], "forbid.security_review", "no model"),
        (("fallback", "gpt"), "opus", "fallback", "'gpt' is not one of"),
        (("fallback", "opus"), "sonnet", "fallback", "comes back to itself"),
        (("fallback", "opus"), "opus", "fallback", "comes back to itself"),
    ],
)
def test_what_is_wrong_is_named(
    path: tuple[str, ...], value: object, where: str, because: str
) -> None:
    """The key, and what is wrong with it."""
    import copy

    document: Any = copy.deepcopy(GOOD)
    if not path:
        document = value
    else:
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    with pytest.raises(DocumentError) as caught:
        parse(document)
    assert where in caught.value.where
    assert because in caught.value.because

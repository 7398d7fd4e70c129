"""What effort a finished run took."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetspan_routing.complexity import effort

MEASURES = ("turns", "tokens", "cost_usd", "tools", "files", "retries")


def test_the_median_public_run_is_in_the_middle() -> None:
    """5 for 35 turns, 457,000 tokens and 0.38 US dollars; 3 more for each tenfold."""
    assert effort(turns=35, tokens=457_000, cost_usd=0.38) == 5.0
    assert effort(turns=350, tokens=4_570_000, cost_usd=3.8) == 8.0
    assert effort(turns=3.5) == 2.0


def test_nothing_is_no_effort_and_unknown_is_unknown() -> None:
    """0 is not None."""
    assert effort() is None
    assert effort(turns=0, tokens=0, cost_usd=0.0, tools=0, files=0, retries=0) == 0.0
    assert effort(turns=1e9, tokens=1e15, cost_usd=1e9) == 10.0


def test_files_and_retries_count_from_the_first() -> None:
    """None is 0, a hundred is 10."""
    assert effort(files=0) == 0.0
    assert effort(files=100) == 10.0
    assert effort(retries=9) == pytest.approx(4.989, abs=0.001)


@given(
    st.fixed_dictionaries({name: st.floats(0, 1e12) for name in MEASURES}),
    st.sampled_from(MEASURES),
    st.floats(1, 100),
)
@example(dict.fromkeys(MEASURES, 5e-324), MEASURES[0], 1.0)
def test_more_of_anything_is_never_less(
    measures: dict[str, float], name: str, factor: float
) -> None:
    """The formula is monotone in every measure, and stays within 0 to 10."""
    before = effort(**measures)
    after = effort(**measures | {name: measures[name] * factor + 1})
    assert before is not None
    assert after is not None
    assert 0 <= before <= after <= 10

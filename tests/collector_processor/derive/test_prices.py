"""What calls cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.derive.prices import PriceBook

NOVEMBER_2026_S = 1_795_000_000
MILLION = 1e6


def cost(
    book: PriceBook, model: str, *tokens: float, provider: str = "", at: int = 0
) -> float:
    """Return the cost of one call; tokens in the order of `KINDS`, absent ones 0."""
    row = [*tokens, *[0.0] * (5 - len(tokens))]
    started = np.array([at or NOVEMBER_2026_S])
    return float(book.cost_usd([provider], [model], started, np.array([row]))[0])


class TestListPrices:
    """Prices of the public table."""

    def test_each_kind_of_token_has_its_price(self) -> None:
        """Claude Sonnet 4.5: 3, 0.30, 3.75, 6 and 15 USD for a million of each kind."""
        few = 1000
        found = [
            cost(PriceBook(), "claude-sonnet-4-5", *[0.0] * kind, few) * 1000
            for kind in range(5)
        ]
        assert found == pytest.approx([3, 0.3, 3.75, 6, 15])

    def test_kinds_add_up(self) -> None:
        """A call costs the sum over its kinds of tokens."""
        found = cost(PriceBook(), "claude-sonnet-4-5", 1000, 2000, 300, 400, 500)
        wanted = (3 * 1000 + 0.3 * 2000 + 3.75 * 300 + 6 * 400 + 15 * 500) / MILLION
        assert found == pytest.approx(wanted)

    def test_a_tier_holds_for_the_whole_call(self) -> None:
        """Gemini 2.5 Pro: 1.25 and 10 USD up to 200,000 input tokens, then 2.50 and 15."""
        below = cost(PriceBook(), "gemini-2.5-pro", 200_000, 0, 0, 0, 1000)
        above = cost(PriceBook(), "gemini-2.5-pro", 200_001, 0, 0, 0, 1000)
        assert below == pytest.approx((1.25 * 200_000 + 10 * 1000) / MILLION)
        assert above == pytest.approx((2.5 * 200_001 + 15 * 1000) / MILLION)

    def test_cached_tokens_count_towards_the_tier(self) -> None:
        """All input counts for the tier, whether it was cached or not."""
        alone = cost(PriceBook(), "gemini-2.5-pro", 10)
        beside = cost(PriceBook(), "gemini-2.5-pro", 10, 300_000)
        without = cost(PriceBook(), "gemini-2.5-pro", 0, 300_000)
        assert beside - without == pytest.approx(2 * alone)

    @pytest.mark.parametrize("model", ["no-such-model", ""])
    def test_unknown_is_not_zero(self, model: str) -> None:
        """A model without a price has none."""
        assert np.isnan(cost(PriceBook(), model, 1000))

    def test_nothing_used_costs_nothing(self) -> None:
        """A call of a known model without tokens costs 0."""
        assert cost(PriceBook(), "claude-sonnet-4-5") == 0

    @pytest.mark.parametrize(
        "provider", ["anthropic", "aws.bedrock", "no-such-provider", ""]
    )
    def test_provider_that_does_not_know_the_model(self, provider: str) -> None:
        """A provider without a price for a model leaves it to the model's own."""
        found = cost(PriceBook(), "claude-sonnet-4-5", 1000, provider=provider)
        assert found * 1000 == pytest.approx(3)

    def test_many_calls_at_once(self) -> None:
        """Each row is priced for itself, whatever its neighbours are."""
        found = PriceBook().cost_usd(
            ["", "", ""],
            ["claude-sonnet-4-5", "no-such-model", "gpt-4o"],
            np.full(3, NOVEMBER_2026_S),
            np.array([[MILLION / 100, 0, 0, 0, 0]] * 3),
        )
        assert found[0] == pytest.approx(0.03)
        assert np.isnan(found[1])
        assert found[2] == pytest.approx(0.025)

    def test_no_calls(self) -> None:
        """No calls have no prices."""
        nothing = PriceBook().cost_usd([], [], np.zeros(0, np.int64), np.zeros((0, 5)))
        assert nothing.tolist() == []


class TestOwnPrices:
    """Prices of a user's file."""

    def test_own_price_goes_before_the_table(self) -> None:
        """A model in the file costs what the file says, for each kind."""
        own = {"input": 1, "cache_read": 2, "cache_write_5m": 3, "cache_write_1h": 4}
        book = PriceBook({"gpt-4o": own | {"output": 5}})
        found = cost(book, "gpt-4o", 1, 1, 1, 1, 1) * MILLION
        assert found == pytest.approx(15)

    def test_kinds_that_are_left_out(self) -> None:
        """Cached input without a price costs what input costs; output costs nothing."""
        book = PriceBook({"mine": {"input": 2}})
        assert cost(book, "mine", 1, 1, 1, 1) * MILLION == pytest.approx(8)
        assert cost(book, "mine", 0, 0, 0, 0, 1) == 0

    def test_version_names_the_prices(self) -> None:
        """Other prices, another version; the same prices, the same one."""
        plain, one = PriceBook(), PriceBook({"m": {"input": 1}})
        assert plain.version.startswith("genai-prices ")
        assert one.version.startswith(f"{plain.version} + own ")
        assert one.version == PriceBook({"m": {"input": 1}}).version
        assert one.version != PriceBook({"m": {"input": 2}}).version

    def test_file(self, tmp_path: Path) -> None:
        """A file has one table for each model."""
        file = tmp_path / "prices.toml"
        file.write_text('[models."my-model"]\ninput = 1.5\noutput = 6\n')
        book = PriceBook.load(file)
        assert cost(book, "my-model", 1, 0, 0, 0, 1) * MILLION == pytest.approx(7.5)
        assert PriceBook.load(None).version == PriceBook().version

    @pytest.mark.parametrize(
        "text",
        [
            "models = 3",
            "",
            "not toml",
            '[models.m]\ninput = "1"',
            "[models.m]\ninput = -1",
            "[models.m]\ncolour = 1",
            "[models.m]\ninput = true",
            "[models.m]\ninput = nan",
        ],
    )
    def test_file_that_cannot_be_used(self, tmp_path: Path, text: str) -> None:
        """Anything else in it is a usage error that names the file."""
        file = tmp_path / "prices.toml"
        file.write_text(text)
        with pytest.raises(UsageError) as caught:
            PriceBook.load(file)
        assert str(file) in caught.value.error

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        """So is a file that cannot be read."""
        with pytest.raises(UsageError):
            PriceBook.load(tmp_path / "none.toml")

"""What calls cost that were not processed the standard way, and what a user's file says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.derive.service_tiers import words_of

MILLION = 1e6
FEW = 1000


def at(text: str) -> int:
    """Return the Unix time of a day, in seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOVEMBER = at("2026-11-20")


def per_million(
    model: str,
    tier: str = "",
    *,
    book: PriceBook | None = None,
    provider: str = "anthropic",
    when: int = NOVEMBER,
) -> list[float]:
    """Return US dollars for a million of each kind of token, in the order of `KINDS`."""
    calls = np.eye(5) * FEW
    costs = (book or PriceBook()).cost_usd(
        [provider] * 5,
        [model] * 5,
        np.full(5, when),
        calls,
        service_tiers=[tier] * 5,
    )
    return [round(float(cost) * MILLION / FEW, 9) for cost in costs]


class TestModes:
    """Batch, fast, priority, flex and inference in the US, as the public table has them."""

    @pytest.mark.parametrize(
        ("tier", "wanted"),
        [
            ("", [4, 0.2, 5, 8, 20]),
            ("standard", [4, 0.2, 5, 8, 20]),
            ("not_available", [4, 0.2, 5, 8, 20]),
            ("batch", [2, 0.1, 2.5, 4, 10]),
            ("fast", [8, 0.4, 10, 16, 40]),
            ("FAST", [8, 0.4, 10, 16, 40]),
            ("standard+us", [4.4, 0.22, 5.5, 8.8, 22]),
            ("batch+us", [2.2, 0.11, 2.75, 4.4, 11]),
        ],
    )
    def test_claude_opus_5_5(self, tier: str, wanted: list[float]) -> None:
        """Half of the price in batches, twice in fast mode, a tenth more in the US."""
        assert per_million("claude-opus-5-5", tier) == pytest.approx(wanted)

    @pytest.mark.parametrize("tier", ["priority", "batch+fast", "flex", "gold"])
    def test_no_price_is_no_price(self, tier: str) -> None:
        """A tier that the table does not know is unpriced, and not the standard price."""
        assert np.isnan(per_million("claude-opus-5-5", tier)).all()

    def test_a_mode_before_its_price_is_known(self) -> None:
        """The table has batch prices from 2026-10-14 on; before that there is none."""
        before, then = at("2026-10-13"), at("2026-10-14")
        assert np.isnan(per_million("claude-opus-5-5", "batch", when=before)).all()
        assert per_million("claude-opus-5-5", "batch", when=then)[0] == 2
        assert per_million("claude-opus-5-5", when=before)[0] == 4

    @pytest.mark.parametrize(
        ("tier", "wanted"),
        [("default", 2.0), ("auto", 2.0), ("priority", 3.5), ("fast", 3.5)],
    )
    def test_openai_service_tiers(self, tier: str, wanted: float) -> None:
        """GPT-4.1: 2 USD for a million input tokens, 3.50 by priority."""
        assert per_million("gpt-4.1", tier, provider="openai")[0] == wanted

    def test_openai_flex(self) -> None:
        """GPT-5: 1.25 and 10 USD, half of it by flex."""
        plain = per_million("gpt-5", provider="openai")
        flex = per_million("gpt-5", "flex", provider="openai")
        assert (plain[0], plain[4], flex[0], flex[4]) == (1.25, 10, 0.625, 5)

    def test_us_inference_is_a_matter_of_anthropic(self) -> None:
        """Elsewhere the place is part of the price of the model's own name."""
        assert np.isnan(per_million("gpt-5", "us", provider="openai")).all()

    def test_no_provider_leaves_a_mode_to_another(self) -> None:
        """Bedrock knows the model and no batch price of it: Anthropic's is not Bedrock's."""
        model = "us.anthropic.claude-opus-4-6-v1:0"
        assert per_million(model, provider="aws.bedrock")[0] == 5.5
        assert np.isnan(per_million(model, "batch", provider="aws.bedrock")[0])

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ("", ()),
            ("standard global", ()),
            ("ON_DEMAND", ()),
            ("on-demand-flex", ("flex",)),
            ("us, batch", ("batch", "us")),
            ("gold", ("gold",)),
        ],
    )
    def test_words(self, said: str, words: tuple[str, ...]) -> None:
        """Providers' words for one thing are one word; an unknown one stays."""
        assert words_of(said) == words


class TestListPrices:
    """What the public table knows beside tokens of the standard price."""

    def test_a_long_context_costs_more(self) -> None:
        """Claude Sonnet 4.5 above 200,000 input tokens: 6, 22.50 and so on for the whole."""
        calls = np.array([[200_000, 0, 0, 0, 0], [200_000, 1, 0, 0, 0]], dtype=float)
        found = PriceBook().cost_usd(
            ["anthropic"] * 2, ["claude-sonnet-4-5"] * 2, np.full(2, NOVEMBER), calls
        )
        assert found == pytest.approx([0.6, 1.2 + 0.6 / MILLION])

    def test_prices_of_the_day(self) -> None:
        """Claude Opus 4.6 had a long-context tier until 2026-03-13."""
        long = np.array([[300_000, 0, 0, 0, 0]] * 2, dtype=float)
        found = PriceBook().cost_usd(
            ["anthropic"] * 2,
            ["claude-opus-4-6"] * 2,
            np.array([at("2026-03-12"), at("2026-03-13")]),
            long,
        )
        assert found == pytest.approx([3.0, 1.5])

    def test_writes_for_an_hour_without_a_price(self) -> None:
        """A table that knows writes for 5 minutes alone does not price those for an hour."""
        found = per_million("anthropic/claude-opus-4.6", provider="openrouter")
        assert found[2] == 6.25
        assert np.isnan(found[3])

    @pytest.mark.parametrize(
        "model",
        ["claude-opus-5-5", "claude-opus-5.5", "anthropic/claude-opus-5.5"],
    )
    def test_spellings(self, model: str) -> None:
        """Dots, dashes and the provider before the name are one model."""
        assert per_million(model, provider="")[0] == 4

    def test_bedrock_name_without_its_provider(self) -> None:
        """The name says where it was, and regional inference costs a tenth more."""
        assert per_million("us.anthropic.claude-opus-4-6-v1:0", provider="")[0] == 5.5

    def test_web_searches(self) -> None:
        """A thousand searches cost 10 USD; where that is not known, calls with some do."""
        found = PriceBook().cost_usd(
            ["anthropic"] * 3,
            ["claude-opus-5-5", "claude-opus-5-5", "claude-3-haiku"],
            np.full(3, NOVEMBER),
            np.zeros((3, 5)),
            web_searches=np.array([0.0, 3.0, 3.0]),
        )
        assert found[:2] == pytest.approx([0, 0.03])
        assert np.isnan(found[2])

    def test_what_nobody_can_tell(self) -> None:
        """A caller may say that a cost is unknown, whatever the tokens."""
        found = PriceBook().cost_usd(
            ["", ""],
            ["claude-opus-5-5"] * 2,
            np.full(2, NOVEMBER),
            np.full((2, 5), 1.0),
            cost_unknown=np.array([True, False]),
        )
        assert np.isnan(found).tolist() == [True, False]


OWN = """
[models."house"]
input = 3
output = 15
us_factor = 1.5
usd_per_web_search = 0.5

[[models."house".tiers]]
start = 1000
input = 6
output = 30

[models."house".batch]
input = 1
[[models."house".batch.tiers]]
start = 1000
input = 2

[[models."house".dated]]
valid_from = 2026-11-01
input = 7

[[models."gpt-4o".dated]]
valid_from = 2026-11-01
input = 1
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    """The prices above."""
    file = tmp_path_factory.mktemp("own") / "prices.toml"
    file.write_text(OWN)
    return PriceBook.load(file)


class TestOwnPrices:
    """Tiers, modes and dates of a user's file."""

    @pytest.mark.parametrize(
        ("tokens", "tier", "wanted"),
        [
            (1000, "", 3000),
            (1001, "", 6006),
            (1000, "batch", 1000),
            (1001, "batch", 2002),
            (1000, "us", 4500),
            (1000, "batch+us", 1500),
        ],
    )
    def test_tiers_and_modes(
        self, own: PriceBook, tokens: int, tier: str, wanted: float
    ) -> None:
        """A tier holds above its start for the whole call, in each mode by its own."""
        found = own.cost_usd(
            [""],
            ["house"],
            np.array([at("2026-10-31")]),
            np.array([[tokens, 0, 0, 0, 0]], dtype=float),
            service_tiers=[tier],
        )
        assert float(found[0]) * MILLION == pytest.approx(wanted)

    def test_a_mode_without_a_price(self, own: PriceBook) -> None:
        """The file does not name fast: a call of it has no price, not the standard one."""
        october = at("2026-10-31")
        assert np.isnan(per_million("house", "fast", book=own, when=october)).all()

    def test_dates(self, own: PriceBook) -> None:
        """Dated prices stand in place of everything before, from midnight UTC on."""
        last, first = at("2026-11-01") - 1, at("2026-11-01")
        assert per_million("house", book=own, when=last)[0] == 3
        assert per_million("house", book=own, when=first)[0] == 7
        assert np.isnan(per_million("house", "batch", book=own, when=first)[0])

    def test_dates_alone(self, own: PriceBook) -> None:
        """Before the first own price of a model the public table holds."""
        assert per_million("gpt-4o", book=own, when=at("2026-10-31"))[0] == 2.5
        assert per_million("gpt-4o", book=own, when=at("2026-11-01"))[0] == 1

    @pytest.mark.parametrize(
        "text",
        [
            "[[models.m.tiers]]\ninput = 1",
            "[[models.m.tiers]]\nstart = 0\ninput = 1",
            "[[models.m.tiers]]\nstart = 9\n[[models.m.tiers]]\nstart = 8",
            "[models.m.tiers]\nstart = 9",
            "[[models.m.dated]]\ninput = 1",
            "[[models.m.dated]]\nvalid_from = 2026-11-01T00:00:00Z\ninput = 1",
            "[models.m.dated]\nvalid_from = 2026-11-01",
            "[models.m.batch]\ncolour = 1",
            "[models.m]\nbatch = 0.5",
            "[models.m.standard]\ninput = 1",
            "[models.m]\nus_factor = -1",
            "[models]\nm = 1",
        ],
    )
    def test_what_cannot_be_used(self, tmp_path: Path, text: str) -> None:
        """Anything else is a usage error that says what is expected."""
        file = tmp_path / "prices.toml"
        file.write_text(text)
        with pytest.raises(UsageError) as caught:
            PriceBook.load(file)
        assert "models.m" in caught.value.because
        assert "valid_from" in caught.value.because

"""The settings, their sources and their documentation."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from pathlib import Path
from typing import Any

import pytest

import fleetspan
from fleetspan import _config, _semconv
from fleetspan._config import Config, load
from fleetspan._errors import ConfigError

README = Path(__file__).parents[2] / "sdk" / "README.md"


def test_what_is_given_wins_over_ours_over_opentelemetrys_over_the_default() -> None:
    """The order of the sources, with a setting that has all of them."""
    standard = {"OTEL_BSP_SCHEDULE_DELAY": "900"}
    ours = {**standard, "FLEETSPAN_SPAN_DELAY_MS": "800"}
    found = [
        load({}, {})[0].span_delay_ms,
        load({}, standard)[0].span_delay_ms,
        load({}, ours)[0].span_delay_ms,
        load({"span_delay_ms": 700}, ours)[0].span_delay_ms,
    ]
    assert found == [200, 900, 800, 700]


def test_switches_and_empty_variables() -> None:
    """Usual words for yes and no; an empty variable is an unset one."""
    for word, expected in (("1", True), ("TRUE", True), ("off", False), ("", False)):
        found, problems = load({}, {"FLEETSPAN_CAPTURE_CONTENT": word})
        assert (found.capture_content, problems) == (expected, [])


def test_standard_variables_for_disabling_and_conventions() -> None:
    """OTEL_SDK_DISABLED and OTEL_SEMCONV_STABILITY_OPT_IN are honoured."""
    assert load({}, {"OTEL_SDK_DISABLED": "True"})[0].disabled is True
    assert load({}, {"OTEL_SDK_DISABLED": "1"})[0].disabled is False
    opted = {"OTEL_SEMCONV_STABILITY_OPT_IN": "http, gen_ai_latest_experimental"}
    assert load({}, opted)[0].semconv == "latest"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "FLEETSPAN_SPAN_DELAY_MS",
            "soon",
            "FLEETSPAN_SPAN_DELAY_MS: got 'soon', expected a whole number, 1 or more",
        ),
        (
            "FLEETSPAN_CAPTURE_CONTENT",
            "maybe",
            "FLEETSPAN_CAPTURE_CONTENT: got 'maybe', expected true or false",
        ),
        (
            "FLEETSPAN_SEMCONV",
            "old",
            "FLEETSPAN_SEMCONV: got 'old', expected one of both, latest",
        ),
        (
            "FLEETSPAN_ENDPOINT",
            "ftp://x",
            (
                "FLEETSPAN_ENDPOINT: got 'ftp://x', expected an address such as "
                "http://localhost:4318"
            ),
        ),
        (
            "FLEETSPAN_CAPTURE_CONTNET",
            "1",
            (
                "FLEETSPAN_CAPTURE_CONTNET: unknown setting, did you mean "
                "FLEETSPAN_CAPTURE_CONTENT?"
            ),
        ),
    ],
)
def test_a_bad_setting_is_said_in_full(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    """Which setting, got what, expected what; only configure() raises it."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        fleetspan.configure()
    assert str(raised.value) == message


def test_an_unknown_keyword_is_a_config_error() -> None:
    """A misspelt keyword names the right one."""
    with pytest.raises(ConfigError, match="unknown setting, did you mean endpoint"):
        fleetspan.configure(endpont="x")  # type: ignore[call-arg]


def test_without_configure_a_bad_setting_is_logged_and_the_program_goes_on(
    program: Any,
) -> None:
    """Implicit set-up takes the default for what is bad, and never raises."""
    done = program(
        """
        import fleetspan
        with fleetspan.agent("a"):
            print("worked")
        """,
        env={
            "FLEETSPAN_SPAN_DELAY_MS": "soon",
            "FLEETSPAN_WHATEVER": "1",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
        },
    )
    assert (done.returncode, done.stdout) == (0, "worked\n")
    assert "FLEETSPAN_SPAN_DELAY_MS: got 'soon'" in done.stderr
    assert "FLEETSPAN_WHATEVER: unknown setting" in done.stderr


def test_the_collectors_settings_are_no_mistakes_of_the_sdk() -> None:
    """A shell may hold the collector's variables, each of which the SDK knows of."""
    settings = pytest.importorskip("fleetspan_collector.config")
    fields = dataclasses.fields(settings.Settings)
    environ = {"FLEETSPAN_" + field.name.upper(): "x" for field in fields}
    unknown = [problem.setting for problem in load({}, environ)[1]]
    assert unknown == []


def test_every_setting_is_documented_and_accepted() -> None:
    """README, docstring, and the keywords that configure() accepts."""
    text = README.read_text()
    for field in dataclasses.fields(Config):
        variable = _config.variable_of(field.name)
        assert f"`{field.name}`" in text
        assert f"`{variable}`" in text
        assert f"{field.name}:" in (inspect.getdoc(Config) or "")
        assert variable in (inspect.getdoc(Config) or "")
    names = [field.name for field in dataclasses.fields(Config)]
    assert list(_config.Settings.__annotations__) == names


def test_every_name_that_we_write_is_documented() -> None:
    """Attributes, events and metrics are all in the README."""
    text = README.read_text()
    skipped = {"SCHEMA_VERSION", "EVENT_PREFIX"}
    for name, value in vars(_semconv).items():
        if name.isupper() and name not in skipped and isinstance(value, str):
            assert f"`{value}`" in text, name


def test_the_packages_table_of_contents_is_complete_and_sorted() -> None:
    """__all__ has every public name, in ruff's order."""
    public = {
        name
        for name, value in vars(fleetspan).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(fleetspan.__all__) == public
    assert fleetspan.__all__ == sorted(
        fleetspan.__all__,
        key=lambda name: (not name.isupper(), name[0].islower(), name),
    )


def test_logging_is_the_standard_librarys_without_handlers() -> None:
    """The SDK adds no handler to its logger."""
    assert logging.getLogger("fleetspan").handlers == []

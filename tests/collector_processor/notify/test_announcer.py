"""Who is told at all, what it costs when nobody is, and what is refused at the start."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._source import LocalSource
from fleetspan_collector.config import load, show
from fleetspan_collector.insights.documents import finding_document
from fleetspan_collector.insights.findings import read_findings
from fleetspan_collector.notify.announcer import Announcer
from fleetspan_collector.notify.batch import plain_rows
from fleetspan_collector.processors.writing import Written
from fleetspan_collector.store.reader import StoreReader

from ..embedded import Embedded
from ..running import poll
from .conftest import FAST, Announce, settings_of
from .telling import analysis, batch, facts, finding, receiving, store

pytestmark = pytest.mark.integration


def notify_threads() -> list[str]:
    """Return the names of our threads that live."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("fleetspan-notify")
    ]


class TestNobodyIsTold:
    """An announcer without destinations."""

    def test_it_has_no_thread_and_no_connection(self, announce: Announce) -> None:
        """It wants no live runs, and only counts."""
        registry = prometheus_client.CollectorRegistry()
        announcer = announce(registry=registry)
        assert announcer.wants_live is False
        assert notify_threads() == []
        announcer.announce(batch(finding(), analyses=[analysis()], runs=[facts()]))
        found = {"detector": "retry_storm", "severity": "high"}
        value = registry.get_sample_value
        assert value("fleetspan_findings_total", found) == 1.0
        ended = {"status": "ok"}
        assert value("fleetspan_run_duration_seconds_sum", ended) == 60.0
        assert value("fleetspan_run_cost_usd_sum", ended) == 1.5
        assert value("fleetspan_run_savings_usd_sum", ended) == 0.25
        assert value("fleetspan_run_time_savings_seconds_sum", ended) == 12.5

    def test_each_finding_and_run_counts_once(self, announce: Announce) -> None:
        """Until a severity rises; and a run when it has ended."""
        registry = prometheus_client.CollectorRegistry()
        announcer = announce(registry=registry)
        for severity in (1, 1, 4):
            announcer.announce(batch(finding(Severity=severity)))
        for still_open in (1, 0, 0):
            announcer.announce(batch(analyses=[analysis(RunOpen=still_open)]))

        def count(severity: str) -> float | None:
            labels = {"detector": "retry_storm", "severity": severity}
            return registry.get_sample_value("fleetspan_findings_total", labels)

        assert (count("low"), count("critical")) == (1.0, 1.0)
        name = "fleetspan_run_duration_seconds_count"
        assert registry.get_sample_value(name, {"status": "unknown"}) == 1.0
        # Nobody knows what it has cost.
        name = "fleetspan_run_cost_usd_count"
        assert registry.get_sample_value(name, {"status": "unknown"}) is None

    def test_labels_are_bounded(self, announce: Announce) -> None:
        """Beyond a hundred detectors the rest are counted together."""
        registry = prometheus_client.CollectorRegistry()
        announcer = announce(registry=registry)
        for number in range(150):
            announcer.announce(
                batch(finding(f"f-{number}", Detector=f"plugin_{number}"))
            )
        labels = {"detector": "other", "severity": "high"}
        assert registry.get_sample_value("fleetspan_findings_total", labels) == 50.0

    def test_a_batch_that_is_broken_raises_nothing(self, announce: Announce) -> None:
        """Whoever announces goes on."""
        broken = batch(finding()).findings.drop_columns(["Severity"])
        rows = batch()
        announce().announce(type(rows)(findings=broken, analyses=rows.analyses))


class TestFollowing:
    """What the scheduler calls."""

    def test_it_follows_an_analysis(self, announce: Announce) -> None:
        """Somebody is told, so live runs are wanted; and what was written is told."""
        rows = batch(finding())
        with receiving() as receiver:
            announcer = announce({"pager": {"url": receiver.url}})
            assert announcer.wants_live is True
            written = Written(findings=rows.findings, analyses=rows.analyses)
            announcer.analysed([], written)
            poll(lambda: receiver.received, "the hook was told")
            announcer.stop()
        assert notify_threads() == []

    def test_the_document_is_that_of_the_command(self, stored: Embedded) -> None:
        """A hook and ``findings --json`` say the same of a finding."""
        store(stored.engine, batch(finding(Usd=0.25)))
        with contextlib.closing(StoreReader(stored.engine)) as reader:
            (document,) = read_findings(LocalSource(reader))
        (row,) = plain_rows(stored.engine.arrow("SELECT * FROM otel.findings"))
        assert finding_document(row) == document
        (text,) = stored.rows("findings")
        assert finding_document(text) == document


class TestRoom:
    """Queues are bounded, and what does not fit comes later."""

    def test_more_than_fits_is_told_from_the_store(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """Many findings at once, far more than fit in memory: each is told once."""
        registry = prometheus_client.CollectorRegistry()
        rows = batch(*(finding(f"f-{number}") for number in range(2500)))
        with receiving(body=b"") as receiver:
            announcer = announce(
                registry=registry, hooks={"pager": {"url": receiver.url}}
            )
            store(stored.engine, rows)
            announcer.announce(rows)
            poll(lambda: len(receiver.received) >= 2500, "all were told")
            announcer.stop()
        told = [each.headers["webhook-id"] for each in receiver.received]
        assert len(told) == len(set(told)) == 2500
        deferred = registry.get_sample_value("fleetspan_notify_deferred_total")
        assert deferred is not None
        assert deferred > 0


class TestSettings:
    """What is wrong with a setting is said at the start."""

    @pytest.mark.parametrize(
        ("hook", "because"),
        [
            ({}, "expected either a command or a url"),
            ({"url": "ftp://x"}, "url: expected an address such as https://"),
            ({"url": "http://example.org"}, "insecure = true allows plain HTTP"),
            ({"url": "https://me:pw@example.org"}, "without a user"),
            ({"url": "https://x", "command": ["a"]}, "either a command or a url"),
            ({"command": "rm -rf"}, "command: expected a list such as"),
            ({"command": ["a"], "secret_env": "A"}, "a secret signs what is posted"),
            ({"url": "https://x", "min_severity": "bad"}, "expected one of info, low"),
            ({"url": "https://x", "timeout_s": 0}, "more than 0 and at most 300"),
            ({"url": "https://x", "attempts": 0}, "a whole number from 1 to 100"),
            ({"url": "https://x", "detectors": []}, "expected a list of detectors"),
            ({"url": "https://x", "retries": 1}, "there is no retries; there are"),
        ],
    )
    def test_a_hook_that_cannot_be_read(self, hook: Any, because: str) -> None:
        """Which hook, which key, and what was expected."""
        with pytest.raises(UsageError) as caught:
            settings_of({"pager": hook})
        assert "'notify_hooks'" in caught.value.error
        assert "hook 'pager'" in caught.value.because
        assert because in caught.value.because

    def test_hooks_from_the_file(self, tmp_path: Path) -> None:
        """A table of tables."""
        file = tmp_path / "config.toml"
        file.write_text(
            '[notify_hooks.pager]\nurl = "https://example.org/T0K3N?x=1"\n'
            'min_severity = "high"\ndetectors = ["stuck_agent"]\ntimeout_s = 3\n'
            '[notify_hooks.log]\ncommand = ["logger", "-t", "fleetspan"]\n'
            "attempts = 2\n",
            "utf-8",
        )
        settings = load(environ={}, file=file).settings
        pager, log = settings.notify_hooks
        assert (pager.name, pager.min_severity, pager.timeout_s) == ("pager", "high", 3)
        assert pager.detectors == ("stuck_agent",)
        assert (log.command, log.attempts) == (("logger", "-t", "fleetspan"), 2)
        # Addresses hold tokens, which `config show` does not repeat.
        shown = "pager (posts to https://example.org/…),log (runs logger)"
        assert show(settings.notify_hooks) == shown

    def test_headers_are_never_shown(self) -> None:
        """Neither in `config show` nor in an error."""
        settings = settings_of(notify_otlp_headers='{"authorization": "k3y"}')
        assert show(settings.notify_otlp_headers) == "authorization=***"
        assert "k3y" not in repr(settings)
        with pytest.raises(UsageError) as caught:
            settings_of(notify_otlp_headers="k3y")
        assert "k3y" not in str(caught.value)

    @pytest.mark.parametrize(
        ("hook", "because"),
        [
            ({"command": ["no-such-program"]}, "there is no program 'no-such-program'"),
            ({"secret_env": "NO_SUCH"}, "the environment variable NO_SUCH holds no"),
            ({"secret_file": "/nonexistent"}, "cannot be read: No such file"),
        ],
    )
    def test_a_hook_that_cannot_be_used(
        self, announce: Announce, hook: dict[str, Any], because: str
    ) -> None:
        """A program, a file or a variable that is missing stops the start."""
        whole = hook if "command" in hook else {"url": "https://x", **hook}
        with pytest.raises(UsageError) as caught:
            announce({"pager": whole})
        assert caught.value.error == "the hook 'pager' cannot be used"
        assert because in caught.value.because

    def test_a_secret_that_is_no_base64(
        self, announce: Announce, tmp_path: Path
    ) -> None:
        """``whsec_`` promises base64; the secret is not repeated."""
        file = tmp_path / "secret"
        file.write_text("whsec_!!!", "utf-8")
        hook = {"url": "https://x", "secret_file": str(file)}
        with pytest.raises(UsageError) as caught:
            announce({"pager": hook})
        assert caught.value.because == "expected base64 after whsec_"

    @pytest.mark.parametrize("port", ["4317", "4318"])
    def test_it_does_not_tell_itself(self, announce: Announce, port: str) -> None:
        """The collector's own receivers are no place for its findings."""
        with pytest.raises(UsageError) as caught:
            announce(notify_otlp_endpoint=f"http://localhost:{port}")
        assert "this collector itself" in caught.value.because

    def test_a_command_may_call_us(self) -> None:
        """The variables that a command gets are no settings that are not known."""
        load(environ={"FLEETSPAN_FINDING_RUN_ID": "run-1"})

    def test_commands_do_not_care(self, stored: Embedded) -> None:
        """Only what tells somebody needs the secret; without a start nobody is told."""
        hooks = {"pager": {"url": "https://x", "secret_env": "NO_SUCH"}}
        registry = prometheus_client.CollectorRegistry()
        announcer = Announcer(stored.engine, settings_of(hooks), registry)
        announcer.announce(batch(finding()))
        announcer.stop()
        assert notify_threads() == []
        found = {"detector": "retry_storm", "severity": "high"}
        assert registry.get_sample_value("fleetspan_findings_total", found) == 1.0


class TestStop:
    """Stopping is bounded in time."""

    def test_a_stop_is_safe_at_any_time(self, stored: Embedded) -> None:
        """Before the start, after it, and twice."""
        hooks = {"pager": {"url": "https://127.0.0.1:1/"}}
        announcer = Announcer(
            stored.engine,
            settings_of(hooks, notify_otlp_endpoint="http://127.0.0.1:1"),
            prometheus_client.CollectorRegistry(),
            backoff=FAST,
        )
        announcer.stop()
        announcer.stop()

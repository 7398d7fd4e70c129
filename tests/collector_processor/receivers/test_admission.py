"""How many request bytes are held at one time."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from fleetspan_collector._errors import Refused, UsageError
from fleetspan_collector._signals import Accepted
from fleetspan_collector.receivers import ReceiverMetrics, ReceiverSettings
from fleetspan_collector.receivers._admission import Admission


@pytest.fixture
def admission():
    """An admission of 100 bytes."""
    return Admission(100, 1.5, ReceiverMetrics(CollectorRegistry()))


class TestAdmission:
    """Reservations and the limit."""

    def test_room_is_given_back(self, admission):
        """Leaving the block frees the bytes, after an error too."""

        def fail() -> None:
            with admission.reserve(60):
                assert admission.held_bytes == 60
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert admission.held_bytes == 0

    def test_what_does_not_fit_is_refused(self, admission):
        """The refusal says when to try again; what is held stays held."""
        with admission.reserve(60):
            with pytest.raises(Refused) as caught:
                admission.reserve(41)
            assert (caught.value.reason, caught.value.retry_after_s) == (
                "in_flight_bytes",
                1.5,
            )
            with admission.reserve(40):
                assert admission.held_bytes == 100
        assert admission.held_bytes == 0

    def test_a_request_alone_is_always_let_in(self, admission):
        """The limit cannot lock out a single request of a legal size."""
        with admission.reserve(500) as reservation:
            reservation.resize(600)
            assert admission.held_bytes == 600

    def test_a_growing_request_is_refused_at_the_limit(self, admission):
        """A body that is still arriving counts with what has come."""
        with admission.reserve(60), admission.reserve() as arriving:
            arriving.resize(40)
            with pytest.raises(Refused):
                arriving.resize(41)
            arriving.resize(10)
            assert admission.held_bytes == 70


class TestThroughTheReceivers:
    """The limit as clients meet it."""

    async def test_over_the_limit_is_503_and_recovers(self, start, trace_request):
        """While one request waits for the disk another is refused, later it is not."""
        waiting, release = asyncio.Event(), asyncio.Event()

        class Slow:
            async def accept(self, submission):
                waiting.set()
                await release.wait()
                return Accepted()

        collector = await start(Slow(), max_in_flight_bytes=100)
        body = trace_request().SerializeToString()
        kind = {"Content_Type": "application/x-protobuf"}
        first = asyncio.ensure_future(collector.post("/v1/traces", body, **kind))
        await waiting.wait()
        assert collector.metric("fleetspan_receiver_in_flight_bytes") == len(body)
        second = await collector.post("/v1/traces", body, **kind)
        assert (second.status, second.headers["retry-after"]) == (503, "1")
        release.set()
        assert (await first).status == 200
        third = await collector.post("/v1/traces", body, **kind)
        assert third.status == 200
        assert collector.metric("fleetspan_receiver_in_flight_bytes") == 0


class TestSettings:
    """Settings that could not work are refused at the start."""

    @pytest.mark.parametrize(
        ("name", "value", "because"),
        [
            ("max_request_bytes", 0, "max_request_bytes must be more than 0, got 0"),
            ("retry_after_s", 3.0, "retry_after_s must be at most 2, got 3.0"),
        ],
    )
    def test_wrong_settings(self, name, value, because):
        """The error names the setting, the value and what is expected."""
        with pytest.raises(UsageError) as caught:
            ReceiverSettings(**{name: value})
        assert caught.value.because == because

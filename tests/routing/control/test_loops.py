"""A loop is the same calls with the same answers, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleetspan_routing.control.loops import Steps, fingerprint


def steps_of(*done: tuple[str, str | None]) -> Steps:
    """Calls with their answers; None: not answered yet."""
    steps = Steps()
    for number, (call, answer) in enumerate(done):
        steps.begin(fingerprint(call), str(number))
        if answer is not None:
            steps.answered(str(number), fingerprint(answer))
    return steps


def time_of(steps: Steps, call: str, longest: int = 4) -> int:
    """The how manieth time a call would be."""
    return steps.repetition(fingerprint(call), longest)[0]


def test_the_same_call_with_the_same_answer() -> None:
    """Each one counts; the ids are of the calls that are repeated."""
    steps = steps_of(("a", "1"), ("a", "1"))
    assert steps.repetition(fingerprint("a"), 4) == (3, ["0", "1"])


def test_another_answer_is_progress() -> None:
    """So is a call between that answers something new."""
    assert time_of(steps_of(("a", "1"), ("a", "2")), "a") == 2
    assert time_of(steps_of(("a", "1"), ("b", "1"), ("a", "1"), ("b", "2")), "a") == 2


def test_what_is_not_answered_is_not_known_to_be_a_loop() -> None:
    """A client that never tells results is not stopped for it."""
    assert time_of(steps_of(("a", None), ("a", None), ("a", None)), "a") == 1
    assert time_of(steps_of(("a", "1"), ("a", "1"), ("a", None)), "a") == 1


def test_a_cycle_of_several_calls() -> None:
    """Is seen up to the length that is looked for."""
    steps = steps_of(*[("a", "1"), ("b", "2"), ("c", "3")] * 2)
    assert time_of(steps, "a") == 3
    assert time_of(steps, "a", longest=2) == 1
    assert time_of(steps, "b") == 2


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12")), max_size=40),
    st.integers(1, 4),
)
def test_it_is_what_the_definition_says(
    done: list[tuple[str, str]], longest: int
) -> None:
    """Compared with asking of every cycle whether the end of the list repeats it."""

    def naive(call: str) -> int:
        most = 1
        for length in range(1, longest + 1):
            cycle = done[len(done) - length :]
            if len(cycle) < length or cycle[0][0] != call:
                continue
            times = 0
            while done[len(done) - (times + 1) * length :][:length] == cycle and (
                len(done) >= (times + 1) * length
            ):
                times += 1
            most = max(most, times + 1)
        return most

    steps = steps_of(*done)
    for call in "abc":
        assert time_of(steps, call, longest) == naive(call)

"""The runner: order of outcomes, known outcomes, failures, exit status."""

from typing import NamedTuple

import pytest
import tasks

from edgekit.batch.engines.local import Threads
from edgekit.batch.engines.processes import Processes
from edgekit.batch.runner import MAX_KNOWN, Known, Status, Tally, Work, run
from edgekit.errors import OutputError

ENGINES = (Threads(), Threads(3), Processes(1), Processes(3))


class Outcome(NamedTuple):
    item: object
    status: str
    reason: str = ""


class Numbers(Work):
    """Items are numbers, or strings with known outcomes. Items in `wrong` fail in the method of that name."""

    def __init__(self, task=tasks.same, **wrong):
        self.task, self.wrong, self.discarded = task, wrong, []

    def name(self, item):
        return f"number {item}"

    def prepare(self, item):
        if item == self.wrong.get("prepare"):
            raise ValueError("cannot prepare")
        return Known(Outcome(item, Status.CURRENT)) if isinstance(item, str) else item

    def finish(self, prepared, result):
        if prepared == self.wrong.get("finish"):
            raise OutputError("cannot finish")
        return Outcome(result, Status.DONE)

    def fail(self, item, prepared, failure):
        assert prepared in (None, item)
        return Outcome(item, Status.FAILED, failure.reason)

    def discard(self, prepared):
        self.discarded.append(prepared)


def fails_at_2(item):
    if item == 2:
        raise ZeroDivisionError("a bug")
    return item


def test_known_outcomes_need_no_engine_and_keep_their_order():
    asked = []

    class Engine:
        def run(self, task, items, give_up):
            for item in items:
                asked.append(item.prepared)
                yield task(item)

    found = run(Numbers(), ["a", 1, "b", "c", 2, 3, "d"], Engine())
    assert [outcome.item for outcome in found] == ["a", 1, "b", "c", 2, 3, "d"]
    assert asked == [1, 2, 3]


@pytest.mark.parametrize("engine", ENGINES, ids=["one", "threads", "process", "processes"])
def test_buffer_of_known_outcomes_is_limited(engine):
    taken = []

    def items():
        yield 1
        for n in range(5 * MAX_KNOWN):
            taken.append(n)
            yield str(n)
        yield 2

    found = run(Numbers(), items(), engine)
    assert next(found).item == 1
    assert len(taken) <= MAX_KNOWN
    assert [outcome.item for outcome in found] == [*map(str, taken), 2]
    assert len(taken) == 5 * MAX_KNOWN


@pytest.mark.parametrize("engine", [Threads(), Processes(2)], ids=["threads", "processes"])
def test_errors_fail_only_one_item(engine):
    found = list(run(Numbers(fails_at_2, prepare=1, finish=3), range(5), engine))
    assert [outcome.status for outcome in found] == ["done", "failed", "failed", "failed", "done"]
    assert [outcome.reason for outcome in found[1:4]] == [
        "number 1: ValueError: cannot prepare",
        "number 2: ZeroDivisionError: a bug",
        "number 3: cannot finish",
    ]


def test_interrupted_runs_discard_items_in_progress():
    work = Numbers()
    found = run(work, range(100), Threads(2))
    assert next(found).item == 0
    found.close()
    assert work.discarded
    assert work.discarded == list(range(1, 1 + len(work.discarded)))


def tally(minimum, *scores):
    counted = Tally(minimum)
    for score in scores:
        counted.add(Outcome(None, Status.FAILED if score is None else Status.OK), score)
    return counted.exit_status


def test_exit_status():
    assert tally(None) == tally(None, 0.1) == tally(0.5, 0.5, 0.9) == 0
    assert tally(None, 0.1, None) == tally(0.5, 0.1, None) == tally(0.5, None) == 1
    assert tally(0.5, 0.4, 0.9) == tally(0.5, float("nan"), 0.9) == tally(0.5) == 3

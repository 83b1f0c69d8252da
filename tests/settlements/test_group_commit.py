"""Threads that commit together: how batches form, and what becomes of the others when one of them goes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from settlements.group_commit import GroupCommit

OWN: dict[str, Any] = {"key": lambda number: number, "content": lambda number: number}


@dataclass
class Desk:
    """Handles numbers, keeps what came together, and holds the first batch until it is told to go on."""

    spoiled: Callable[[Sequence[int]], None] = lambda batch: None
    batches: list[list[int]] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def handle(self, batch: Sequence[int]) -> list[str | None]:
        self.batches.append(list(batch))
        if len(self.batches) == 1:
            self.started.set()
            assert self.go_on.wait(timeout=30)
        self.spoiled(batch)
        return [f"answer to {number}" for number in batch]


class Crowd:
    """Threads that come one after the other while the first one is being handled."""

    def __init__(self, desk: Desk, **options: Any) -> None:
        self.desk = desk
        self.together = GroupCommit[int, str](desk.handle, **{**OWN, "most": 64, **options})
        self.pool = ThreadPoolExecutor(100)

    def come(self, *numbers: int) -> list["Future[str | None]"]:
        futures = []
        for place, number in enumerate(numbers):
            futures.append(self.pool.submit(self.together.answer, number))
            if place == 0:
                assert self.desk.started.wait(timeout=30)
            while self.together.waiting != place:
                pass
        return futures


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def crowd(desk: Desk) -> Iterator[Crowd]:
    crowd = Crowd(desk)
    yield crowd
    desk.go_on.set()
    crowd.pool.shutdown()


def answers(futures: Sequence["Future[str | None]"]) -> list[str | None]:
    return [future.result(timeout=30) for future in futures]


def test_one_alone_is_a_batch_of_one_at_once(desk: Desk, crowd: Crowd) -> None:
    desk.go_on.set()
    assert crowd.together.answer(1) == "answer to 1"
    assert crowd.together.answer(2) == "answer to 2"
    assert desk.batches == [[1], [2]]


def test_what_waits_meanwhile_is_the_next_batch(desk: Desk, crowd: Crowd) -> None:
    futures = crowd.come(1, 2, 3, 4)
    desk.go_on.set()
    assert answers(futures) == [f"answer to {number}" for number in (1, 2, 3, 4)]
    assert [sorted(batch) for batch in desk.batches] == [[1], [2, 3, 4]]


def test_a_batch_has_no_more_than_the_most_and_the_rest_comes_next(desk: Desk) -> None:
    crowd = Crowd(desk, most=3)
    futures = crowd.come(*range(1, 9))
    desk.go_on.set()
    assert answers(futures) == [f"answer to {number}" for number in range(1, 9)]
    assert [len(batch) for batch in desk.batches] == [1, 3, 3, 1]
    assert sorted(number for batch in desk.batches for number in batch) == list(range(1, 9))


def test_a_batch_has_one_of_a_kind(desk: Desk) -> None:
    crowd = Crowd(desk, key=lambda number: number % 2)
    futures = crowd.come(0, 1, 2, 3, 4)
    desk.go_on.set()
    assert answers(futures) == [f"answer to {number}" for number in range(5)]
    assert all(len({number % 2 for number in batch}) == len(batch) for batch in desk.batches)
    assert sorted(number for batch in desk.batches for number in batch) == list(range(5))


def test_copies_come_together_with_the_first_of_them(desk: Desk) -> None:
    crowd = Crowd(desk, key=lambda number: number % 2)
    futures = crowd.come(0, 1, 3, 1, 1, 2, 3)
    desk.go_on.set()
    assert answers(futures) == [f"answer to {number}" for number in (0, 1, 3, 1, 1, 2, 3)]
    assert [sorted(batch) for batch in desk.batches] == [[0], [1, 1, 1, 2], [3, 3]]


def test_copies_count_towards_the_most(desk: Desk) -> None:
    crowd = Crowd(desk, most=3)
    futures = crowd.come(1, 2, 2, 2, 2)
    desk.go_on.set()
    assert answers(futures) == [f"answer to {number}" for number in (1, 2, 2, 2, 2)]
    assert desk.batches == [[1], [2, 2, 2], [2]]


def test_a_leader_waits_for_as_many_as_were_there_last_time(desk: Desk) -> None:
    crowd = Crowd(desk, patience=30)
    futures = crowd.come(1, 2, 3)
    desk.go_on.set()
    futures[0].result(timeout=30)
    assert desk.batches == [[1]], "three were there: two wait for the third to be back"
    futures.append(crowd.pool.submit(crowd.together.answer, 4))
    assert answers(futures) == [f"answer to {number}" for number in (1, 2, 3, 4)]
    assert [sorted(batch) for batch in desk.batches] == [[1], [2, 3, 4]]


def test_a_leader_waits_no_longer_than_patience_allows_and_expects_fewer_then(desk: Desk) -> None:
    crowd = Crowd(desk, patience=0.01)
    futures = crowd.come(1, 2, 3)
    desk.go_on.set()
    assert answers(futures) == [f"answer to {number}" for number in (1, 2, 3)]
    crowd.together._patience = 30
    assert answers([crowd.pool.submit(crowd.together.answer, number) for number in (4, 5)]) == [
        "answer to 4",
        "answer to 5",
    ]
    assert [sorted(batch) for batch in desk.batches] == [[1], [2, 3], [4, 5]]


def test_who_came_alone_makes_the_next_one_wait_for_nobody(desk: Desk) -> None:
    desk.go_on.set()
    together = Crowd(desk, patience=3600).together
    assert [together.answer(1), together.answer(2)] == ["answer to 1", "answer to 2"]


def test_nobody_waits_for_more_than_a_batch_may_have(desk: Desk) -> None:
    crowd = Crowd(desk, most=2, patience=3600)
    futures = crowd.come(1, 2, 3, 4, 5)
    desk.go_on.set()
    assert answers(futures) == [f"answer to {number}" for number in range(1, 6)]
    assert [len(batch) for batch in desk.batches] == [1, 2, 2]


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, MemoryError, RuntimeError])
def test_a_leader_that_dies_leaves_the_others_alone_and_the_next_ones_are_led(
    desk: Desk, crowd: Crowd, end: type[BaseException]
) -> None:
    def dies(batch: Sequence[int]) -> None:
        if 2 in batch:
            raise end

    desk.spoiled = dies
    futures = crowd.come(1, 2, 3)
    desk.go_on.set()
    assert futures[0].result(timeout=30) == "answer to 1"
    ends = [future.exception(timeout=30) for future in futures[1:]]
    assert sorted(str(type(each)) for each in ends) == sorted([str(end), str(type(None))])
    assert [future.result() for future, error in zip(futures[1:], ends, strict=True) if error is None] == [None]
    assert crowd.together.answer(4) == "answer to 4"


def test_one_that_is_torn_out_while_it_waits_is_waited_for_by_nobody(desk: Desk, crowd: Crowd) -> None:
    class TornOut(Exception):
        pass

    class Interrupted:
        """A lock whose holder is interrupted as it waits, as a signal does it."""

        def acquire(self) -> None:
            raise TornOut

    (first,) = crowd.come(1)
    turn = crowd.together.arrive(2)
    turn.called = Interrupted()  # type: ignore[assignment]
    with pytest.raises(TornOut):
        crowd.together.outcome(turn)
    assert crowd.together.waiting == 0
    desk.go_on.set()
    assert answers([first]) == ["answer to 1"]
    assert crowd.together.answer(3) == "answer to 3"
    assert desk.batches == [[1], [3]]


def test_one_that_is_torn_out_as_it_is_called_to_lead_lets_the_next_one_lead(desk: Desk, crowd: Crowd) -> None:
    class TornOut(Exception):
        pass

    come = crowd.come(1, 2, 3)
    turn = crowd.together.arrive(4)

    class CalledAndTornOut:
        def acquire(self) -> None:
            turn.leads = True  # called, and a signal comes before anything else is done
            raise TornOut

    crowd.together._waiting.remove(turn)
    turn.called = CalledAndTornOut()  # type: ignore[assignment]
    with pytest.raises(TornOut):
        crowd.together.outcome(turn)
    desk.go_on.set()
    assert crowd.together.answer(5) == "answer to 5"
    assert [each.result(timeout=30) for each in come] == ["answer to 1", "answer to 2", "answer to 3"]
    assert sorted(number for batch in desk.batches for number in batch) == [1, 2, 3, 5]


def test_many_threads_for_long_each_get_their_own_answer(desk: Desk, crowd: Crowd) -> None:
    desk.go_on.set()
    numbers = range(2_000)
    assert list(crowd.pool.map(crowd.together.answer, numbers)) == [f"answer to {number}" for number in numbers]
    assert sorted(number for batch in desk.batches for number in batch) == list(numbers)

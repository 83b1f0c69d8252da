"""Group commit: what waits while one transaction commits is handled by the next one, together.

The threads take turns. One leads: it handles its own item with all those that wait, in one transaction, and tells each
its answer once that is committed; then one that waits by now leads. So a batch is as large as the traffic makes it, and
there is no thread that could die or would have to be stopped.

Those whose answers have just gone out will be back in a moment, and a batch with all of them costs less than two
without: so a leader waits for as many as were there last time, though not longer than the patience allows, and where
one came alone the next one waits for nobody.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class _Turn(Generic[Item, Answer]):
    """An item on its way; `called` is held until its thread is to lead or has its answer."""

    item: Item
    leads: bool = False
    answer: Answer | None = None
    called: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.called.acquire()


class GroupCommit(Generic[Item, Answer]):
    """Handles items of many threads together; of a process, to be shared by its threads.

    `handle` takes a batch and returns an answer for each, in their order, all of them committed; None for one that it
    has left alone. Of items with the same `key` a batch has one and its copies, which are those with the same
    `content`: the other ones wait for the next batch. `patience` in seconds.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Item]], Sequence[Answer | None]],
        *,
        key: Callable[[Item], Hashable],
        content: Callable[[Item], Hashable],
        most: int,
        patience: float = 0.0,
    ) -> None:
        self._handle = handle
        self._key = key
        self._content = content
        self._most = most
        self._patience = patience
        self._lock = threading.Lock()
        self._back = threading.Condition(self._lock)
        self._crowd = 1
        self._waiting: deque[_Turn[Item, Answer]] = deque()
        self._busy = False

    @property
    def waiting(self) -> int:
        """How many wait for the next batch."""
        return len(self._waiting)

    def answer(self, item: Item) -> Answer | None:
        """What became of the item, which is committed then; None if it was left alone, and nothing of it is."""
        return self.outcome(self.arrive(item))

    def arrive(self, item: Item) -> _Turn[Item, Answer]:
        """The item's turn: to lead at once if nobody does, else to wait."""
        turn = _Turn[Item, Answer](item)
        with self._lock:
            turn.leads = not self._busy
            self._busy = True
            if not turn.leads:
                self._waiting.append(turn)
                if self._all_back():
                    self._back.notify()
        return turn

    def outcome(self, turn: _Turn[Item, Answer]) -> Answer | None:
        """Waits for the answer, or leads; of the thread whose turn it is, once."""
        try:
            if not turn.leads:
                turn.called.acquire()
            if turn.leads:
                self._lead(turn)
        except BaseException:
            self._leave(turn)
            raise
        return turn.answer

    def _lead(self, own: _Turn[Item, Answer]) -> None:
        """Handles a batch. Whatever happens to this thread, the others are left alone and not left waiting."""
        batch = self._batch(own)
        try:
            answers = self._handle([turn.item for turn in batch])
            for turn, answer in zip(batch, answers, strict=True):
                turn.answer = answer
        finally:
            own.leads = False
            self._pass_on()
            for turn in batch[1:]:
                turn.called.release()

    def _batch(self, own: _Turn[Item, Answer]) -> list[_Turn[Item, Answer]]:
        """The leader's own and those that wait, the oldest first; those that do not fit go on waiting.

        It is taken as soon as there are as many as last time, and after a moment however many there are.
        """
        batch, left = [own], deque[_Turn[Item, Answer]]()
        contents = {self._key(own.item): self._content(own.item)}
        with self._back:
            self._back.wait_for(self._all_back, self._patience)
            for turn in self._waiting:
                content = self._content(turn.item)
                if len(batch) < self._most and contents.setdefault(self._key(turn.item), content) == content:
                    batch.append(turn)
                else:
                    left.append(turn)
            self._waiting = left
            self._crowd = len(batch)
        return batch

    def _all_back(self) -> bool:
        """Whether as many are here, with the leader, as were last time."""
        return len(self._waiting) + 1 >= self._crowd

    def _pass_on(self) -> None:
        """The one that waits longest leads, if anybody waits."""
        with self._lock:
            self._crowd = min(self._crowd + len(self._waiting), self._most)
            self._busy = bool(self._waiting)
            if self._busy:
                following = self._waiting.popleft()
                following.leads = True
                following.called.release()

    def _leave(self, turn: _Turn[Item, Answer]) -> None:
        """The thread is torn out of its turn: it leads nobody and waits for nothing."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
        if turn.leads:
            turn.leads = False
            self._pass_on()

"""Files of a bank are picked up whole and once: replaced, growing, unreadable, and whoever is killed wherever."""

import os
import stat
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from rails import pickup
from rails.pickup import TAKEN, InboxUnusable, Kept, Later, Picked, PickedUp, keeping, pick_up
from tests.rails.killed import killed_before_line

LONG_AGO = time.time() - 3_600


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    place = tmp_path / "inbox"
    place.mkdir()
    return place


def put(inbox: Path, content: bytes, name: str = "file", written: float = LONG_AGO) -> Path:
    path = inbox / name
    path.write_bytes(content)
    os.utime(path, (written, written))
    return path


class Reader:
    """Takes everything in, and knows what it was given."""

    def __init__(self, meanwhile: Callable[[Picked], object] = lambda picked: None) -> None:
        self.seen: list[Picked] = []
        self.meanwhile = meanwhile

    def take_in(self, picked: Picked) -> Kept:
        self.seen.append(picked)
        self.meanwhile(picked)
        return Kept.QUARANTINE if picked.content.startswith(b"broken") else Kept.DONE

    def look(self, inbox: Path, whole_after: float = 5) -> PickedUp:
        return pick_up(inbox, self.take_in, largest=100, whole_after=whole_after)

    @property
    def contents(self) -> list[bytes]:
        return [picked.content for picked in self.seen]


def kept(inbox: Path, where: Kept = Kept.DONE) -> list[bytes]:
    """What lies there; each under the name of its bytes."""
    if not (inbox / where).exists():
        return []
    found = [(path.name, path.read_bytes()) for path in (inbox / where).iterdir()]
    assert all(name == sha256(content).hexdigest() for name, content in found)
    return sorted(content for _, content in found)


def left(inbox: Path) -> list[str]:
    return sorted(path.name for path in inbox.iterdir() if not path.name.startswith("."))


def taken(inbox: Path) -> list[Path]:
    return sorted((inbox / TAKEN).iterdir())


def test_files_are_read_in_their_order_and_put_away_under_the_name_of_their_bytes(inbox: Path) -> None:
    reader = Reader()
    for content in (b"two", b"one", b"broken"):
        put(inbox, content, f"{content.decode()}.ach").chmod(0o644)
    assert reader.look(inbox) == PickedUp(read=3)
    assert [(picked.name, picked.size) for picked in reader.seen] == [("broken.ach", 6), ("one.ach", 3), ("two.ach", 3)]
    assert (kept(inbox), kept(inbox, Kept.QUARANTINE)) == ([b"one", b"two"], [b"broken"])
    assert left(inbox) == []
    for path in (*(inbox / Kept.DONE).iterdir(), *(inbox / Kept.QUARANTINE).iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name in (TAKEN, Kept.DONE, Kept.QUARANTINE):
        assert stat.S_IMODE((inbox / name).stat().st_mode) == 0o700


def test_what_comes_under_the_same_name_while_a_file_is_read_is_another_file(inbox: Path) -> None:
    put(inbox, b"first")
    reader = Reader(lambda picked: put(inbox, b"second") if picked.content == b"first" else None)
    reader.look(inbox)
    assert left(inbox) == ["file"]
    reader.look(inbox)
    assert reader.contents == [b"first", b"second"]
    assert kept(inbox) == [b"first", b"second"]


@pytest.mark.parametrize("name", ["x.part", "x.partial", "x.filepart", "x.tmp", ".x"])
def test_what_says_by_its_name_that_it_is_unfinished_is_passed_over(inbox: Path, name: str) -> None:
    path, reader = put(inbox, b"half", name), Reader()
    assert reader.look(inbox).nothing_unread
    assert path.read_bytes() == b"half"
    path.rename(inbox / "x")
    reader.look(inbox)
    assert reader.contents == [b"half"]


def test_a_file_that_was_written_to_lately_waits(inbox: Path) -> None:
    path, reader = put(inbox, b"half", written=time.time()), Reader()
    assert reader.look(inbox) == PickedUp(waiting=True)
    assert path.exists()
    assert not reader.seen


def test_a_file_whose_time_is_to_come_is_read_all_the_same(inbox: Path) -> None:
    put(inbox, b"whole", written=time.time() + 86_400)
    reader = Reader()
    assert reader.look(inbox, whole_after=0).read == 1
    put(inbox, b"perhaps half", written=time.time() + 86_400)
    assert reader.look(inbox) == PickedUp(waiting=True)  # made just now, whatever time it was given


def test_a_file_that_grows_after_it_was_taken_is_read_whole_once_it_rests(inbox: Path) -> None:
    path = put(inbox, b"half")
    with path.open("ab", buffering=0) as writer:
        reader = Reader(lambda picked: writer.write(b", whole") if picked.content == b"half" else None)
        assert reader.look(inbox) == PickedUp(waiting=True)
    assert kept(inbox) == []
    assert reader.look(inbox) == PickedUp(waiting=True)
    (path,) = taken(inbox)
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert reader.look(inbox) == PickedUp(read=1)
    assert reader.contents == [b"half", b"half, whole"]
    assert kept(inbox) == [b"half, whole"]


def test_a_file_that_grows_while_it_is_read_is_not_taken_in(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reader, content = put(inbox, b"half"), Reader(), pickup._content
    with path.open("ab", buffering=0) as writer, monkeypatch.context() as slow:

        def grows(*given: object) -> tuple[bytes, str]:
            read = content(*given)  # type: ignore[arg-type]
            writer.write(b", whole")
            return read

        slow.setattr(pickup, "_content", grows)
        assert reader.look(inbox) == PickedUp(waiting=True)
    assert not reader.seen


def test_a_file_above_the_limit_is_handed_on_in_part_with_the_digest_of_all(inbox: Path) -> None:
    content = b"x" * 1_000
    put(inbox, content)
    reader = Reader()
    reader.look(inbox)
    (picked,) = reader.seen
    assert (len(picked.content), picked.size, picked.sha256) == (101, 1_000, sha256(content).hexdigest())


def test_links_directories_and_pipes_are_left_alone(inbox: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (inbox / "link").symlink_to(secret)
    (inbox / "directory").mkdir()
    os.mkfifo(inbox / "pipe")
    reader = Reader()
    assert reader.look(inbox, whole_after=0) == PickedUp()
    assert left(inbox) == ["directory", "link", "pipe"]


def test_the_longest_names_are_taken(inbox: Path) -> None:
    put(inbox, b"one", "x" * 255)
    put(inbox, b"two", "\N{SNOWMAN}" * 85)
    reader = Reader()
    assert reader.look(inbox).read == 2
    assert reader.seen[0].name == "x" * 200


def test_one_file_that_can_not_be_read_keeps_no_other_from_its_turn(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuses(path: str, *others: int, **more: int) -> int:
        if path == "a":
            raise PermissionError(13, "Permission denied")
        return opened(path, *others, **more)

    put(inbox, b"one", "a")
    put(inbox, b"two", "b")
    reader = Reader()
    with monkeypatch.context() as denied:
        denied.setattr(os, "open", refuses)
        look = reader.look(inbox)
    assert look == PickedUp(read=1, unread=True, troubles={"a": "it can not be read or put away: Permission denied"})
    assert left(inbox) == ["a"]


def test_a_file_that_fails_or_waits_is_read_again_by_the_next_look(inbox: Path) -> None:
    for name in "abc":
        put(inbox, name.encode(), name)
    errors = {b"a": ZeroDivisionError(), b"b": Later("not yet", about=frozenset({7}))}

    def raises(picked: Picked) -> None:
        if picked.content in errors:
            raise errors.pop(picked.content)

    reader = Reader(raises)
    look = reader.look(inbox)
    assert look == PickedUp(
        read=1,
        unread=True,
        spoken_of=frozenset({7}),
        troubles={"a": "reading it failed; the log says how", "b": "not yet"},
    )
    assert not look.nothing_unread
    assert reader.look(inbox) == PickedUp(read=2)
    assert kept(inbox) == [b"a", b"b", b"c"]


def test_more_than_a_hundred_are_taken_by_the_next_look(inbox: Path) -> None:
    for number in range(101):
        put(inbox, str(number).encode(), f"{number:03}")
    reader = Reader()
    assert reader.look(inbox) == PickedUp(read=100, waiting=True)
    assert reader.look(inbox) == PickedUp(read=1)


def test_an_inbox_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    look = Reader().look(tmp_path / "inbox")
    assert look.troubles == {"": "it can not be opened: No such file or directory"}
    assert not (tmp_path / "inbox").exists()


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b""), lambda path: path.mkdir(0o755)])
def test_an_inbox_that_nothing_can_be_moved_in_is_told(inbox: Path, spoil: Callable[[Path], object]) -> None:
    spoil(inbox / TAKEN)
    put(inbox, b"one")
    look = Reader().look(inbox)
    assert list(look.troubles) == [""]
    assert left(inbox) == ["file"]


def test_two_at_once_put_each_file_away_once(inbox: Path) -> None:
    for number in range(40):
        put(inbox, str(number).encode(), f"{number:02}")
    readers, barrier = [Reader() for _ in range(4)], threading.Barrier(4)

    def run(reader: Reader) -> None:
        barrier.wait()
        assert not reader.look(inbox).troubles

    threads = [threading.Thread(target=run, args=[reader]) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {picked.content for reader in readers for picked in reader.seen} == {str(n).encode() for n in range(40)}
    assert (len(kept(inbox)), left(inbox), taken(inbox)) == (40, [], [])


def test_killed_before_any_line_each_file_is_read_and_none_is_lost(inbox: Path) -> None:
    number = 0
    while True:
        number += 1
        put(inbox, f"{number}".encode(), "same-name")
        killed = killed_before_line(number, [pickup], lambda: Reader().look(inbox))
        put(inbox, f"broken {number}".encode(), "same-name-too")
        assert Reader().look(inbox).nothing_unread
        assert (left(inbox), taken(inbox)) == ([], [])
        if not killed:
            break
    assert number > 60
    assert len(kept(inbox)) == len(kept(inbox, Kept.QUARANTINE)) == number


def test_what_came_another_way_is_kept_before_it_is_applied(inbox: Path) -> None:
    digest = sha256(b"mail").hexdigest()
    with keeping(inbox, digest, b"mail") as keep:
        assert [path.read_bytes() for path in taken(inbox)] == [b"mail"]
        assert Reader().look(inbox) == PickedUp()  # it is not the inbox's
        keep(Kept.QUARANTINE)
    assert kept(inbox, Kept.QUARANTINE) == [b"mail"]
    with keeping(inbox, digest, b"mail"):
        pass  # it was known
    assert taken(inbox) == []


def test_what_can_not_be_kept_is_not_applied(tmp_path: Path) -> None:
    with pytest.raises(InboxUnusable), keeping(tmp_path / "nowhere", "0" * 64, b"mail"):
        pytest.fail("it was applied")

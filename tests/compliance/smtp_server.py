"""A mail server on loopback that does what it is told, for a while: take mail, refuse it, hang, or drop the line."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum


class Mood(StrEnum):
    """How the next connection is treated; without a mood it is served well."""

    BUSY = "421 at the greeting"
    HANG = "no word after MAIL FROM"
    NO_RECIPIENTS = "550 for every recipient"
    REFUSE = "554 after the message"
    LOSE = "the line is cut before the message is taken"
    TAKE_AND_DROP = "the message is taken, and the line cut before the server says so"


@dataclass
class Mailbox:
    """What arrived; `moods` are those of the next connections."""

    port: int
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    moods: list[Mood] = field(default_factory=list)
    connections: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.messages]


class _Handler(socketserver.StreamRequestHandler):
    """One connection; its server has the mailbox."""

    box: Mailbox

    def handle(self) -> None:
        self.box = self.server.box  # type: ignore[attr-defined]
        self.box.connections += 1
        self.mood = self.box.moods.pop(0) if self.box.moods else None
        self.to: list[str] = []
        self.say("421 busy" if self.mood is Mood.BUSY else "220 test")
        if self.mood is not Mood.BUSY:
            while (line := self.rfile.readline()) and self.answer(line.decode()):
                pass

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def answer(self, line: str) -> bool:
        """Answers one command; False ends the connection."""
        verb = line.split(":")[0].split(" ")[0].strip().upper()
        answers: dict[str, Callable[[str], bool]] = {
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            "QUIT": self.quit,
        }
        return answers.get(verb, self.fine)(line)

    def fine(self, line: str) -> bool:
        self.say("250 fine")
        return True

    def quit(self, line: str) -> bool:
        self.say("221 bye")
        return False

    def mail(self, line: str) -> bool:
        if self.mood is Mood.HANG:
            self.box.let_go.wait(30)
            return False
        return self.fine(line)

    def rcpt(self, line: str) -> bool:
        if self.mood is Mood.NO_RECIPIENTS:
            self.say(f"550 nobody here is called {line.strip()}")
            return True
        self.to.append(line.partition("<")[2].partition(">")[0])
        return self.fine(line)

    def data(self, line: str) -> bool:
        if self.mood is Mood.LOSE:
            return False
        self.say("354 go on")
        lines = []
        while (text := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(text.removeprefix(b".") if text.startswith(b"..") else text)
        if self.mood is Mood.REFUSE:
            self.say("554 not this one")
            return True
        self.box.messages.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self.box.recipients.append(self.to)
        return self.mood is not Mood.TAKE_AND_DROP and self.fine(line)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mailbox whose server listens on a free port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        box = Mailbox(server.server_address[1])
        server.box = box  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            box.let_go.set()
            server.shutdown()
            thread.join()

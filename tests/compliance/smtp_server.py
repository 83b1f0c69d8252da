"""A mail server on loopback that does what it is told, for a while: take mail, refuse it, hang, or drop the line."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from typing import cast


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


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mailbox whose server listens on a free port."""

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            box.connections += 1
            mood = box.moods.pop(0) if box.moods else None
            if mood is Mood.BUSY:
                self.say("421 busy")
                return
            self.say("220 test")
            recipients: list[str] = []
            while line := self.rfile.readline():
                verb = line.split(b":")[0].strip().upper()
                if verb.startswith((b"EHLO", b"HELO", b"RSET")):
                    self.say("250 test")
                elif verb == b"MAIL FROM" and mood is Mood.HANG:
                    box.let_go.wait(30)
                    return
                elif verb == b"RCPT TO" and mood is Mood.NO_RECIPIENTS:
                    self.say(f"550 nobody here is called {line.decode().strip()}")
                elif verb in {b"MAIL FROM", b"RCPT TO"}:
                    if verb == b"RCPT TO":
                        recipients.append(line.decode().partition("<")[2].partition(">")[0])
                    self.say("250 fine")
                elif verb == b"DATA":
                    if mood is Mood.LOSE:
                        return
                    self.say("354 go on")
                    if not self.take(recipients, mood):
                        return
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("502 unknown")

        def take(self, recipients: list[str], mood: Mood | None) -> bool:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            if mood is Mood.REFUSE:
                self.say("554 not this one")
                return True
            box.messages.append(cast(EmailMessage, message_from_bytes(b"".join(lines), policy=policy.default)))
            box.recipients.append(recipients)
            if mood is Mood.TAKE_AND_DROP:
                return False
            self.say("250 taken")
            return True

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        box = Mailbox(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            box.let_go.set()
            server.shutdown()
            thread.join()

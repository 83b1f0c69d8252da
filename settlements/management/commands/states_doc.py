"""`manage.py states_doc`: writes docs/states.md from the transition table; `--check` fails when it is stale."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settlements.statuses import SettlementStatus as S
from settlements.transitions import AGAIN, INITIAL, LOCAL_ONLY, REMOTE_ONLY, TRANSITIONS

Edge = tuple[S | None, S]

_RELEASE = "the sweep, an officer's complete approvals, or a settle request"
_AGAIN = "a new attempt, after as many people as are required approved that; the reason is kept"
_NO_MORE = "whoever cancels the intent, or writes the payment off, with a reason"
WHO: dict[Edge, str] = {
    (None, S.PENDING): "an event or a settle request: it needs a person, is not eligible yet, or is of amount zero",
    (None, S.DELAYED): "an event or a settle request: the hold runs, or an authorised release may not go just now",
    (None, S.APPROVED): "an event or a settle request: released at once, with its journal entry",
    (None, S.RELEASING): "an event or a settle request: released at once, with its attempt",
    (S.PENDING, S.APPROVED): _RELEASE,
    (S.PENDING, S.RELEASING): _RELEASE,
    (S.PENDING, S.REJECTED): "an officer, with a reason",
    (S.PENDING, S.CANCELLED): "whoever cancels the intent, with a reason",
    (S.DELAYED, S.APPROVED): _RELEASE,
    (S.DELAYED, S.RELEASING): _RELEASE,
    (
        S.DELAYED,
        S.PENDING,
    ): "a push of the freight token, or the release itself: the risk became worse, so a person decides",
    (S.DELAYED, S.REJECTED): "an officer, with a reason",
    (S.DELAYED, S.CANCELLED): "whoever cancels the intent, with a reason",
    (
        S.RELEASING,
        S.APPROVED,
    ): "the provider accepted; its reference is known; at once where the ledger pays what went out before",
    (S.RELEASING, S.FAILED): "the provider refused, or a person withdrew what was never handed over",
    (S.APPROVED, S.SETTLED): "funds confirmed: by request on a local rail, else by the provider",
    (S.APPROVED, S.RETURNED): "the transfer was reversed or returned",
    (S.SETTLED, S.APPROVED): "the provider's payout failed; never a new transfer",
    (S.SETTLED, S.RETURNED): "the transfer was reversed or returned",
    (S.FAILED, S.RELEASING): _AGAIN,
    (S.FAILED, S.CANCELLED): _NO_MORE,
    (S.RETURNED, S.RELEASING): _AGAIN,
    (S.RETURNED, S.CANCELLED): _NO_MORE,
}

_PAGE = """# States

Written by `manage.py states_doc` from `settlements/transitions.py`; do not edit.

## A milestone settlement

```mermaid
stateDiagram-v2
{diagram}
```

| from | to | rails | who and why |
|---|---|---|---|
{table}

`settlements/lifecycle.py` is the only writer of status, and the database refuses every other move. A move marked
local, remote or both lets money go: the database also demands its authority then (approvals, the date of the hold, no
open hold, a live intent, the journal entry on a local rail, the attempt on a remote one).

## A payment intent

Its status is derived from its settlements whenever one of them is created or moves. Settlements of amount zero are
ignored; the first line that holds is the status.

| status | holds when |
|---|---|
| CANCELLED | the intent was cancelled; final |
| DELAYED | a settlement is DELAYED |
| PENDING | an item has no settlement yet, or one is PENDING, RELEASING, FAILED or RETURNED |
| REJECTED | all settlements are REJECTED or CANCELLED |
| SETTLED | the settlements that are neither REJECTED nor CANCELLED are SETTLED |
| APPROVED | otherwise: all that is not rejected or cancelled has been released |

`manage.py verify_books` derives it again from the same sentences.
"""


class Command(BaseCommand):
    """Writes the page, or compares it."""

    help = "Writes docs/states.md from the transition table."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` compares instead of writing."""
        parser.add_argument("--check", action="store_true", help="exit 1 when docs/states.md is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when `--check` finds another text than the table gives."""
        target = Path(settings.BASE_DIR) / "docs" / "states.md"
        text = page()
        if not options["check"]:
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            raise CommandError("docs/states.md is stale; write it again with `manage.py states_doc`.")


def edges() -> list[Edge]:
    """Every allowed move, creation (None) first, in the order of the statuses."""
    created: list[Edge] = [(None, new) for new in S if new in INITIAL]
    return created + [(old, new) for old in S for new in S if new in TRANSITIONS[old]]


def page() -> str:
    """The whole of docs/states.md."""
    finals = [f"    {status} --> [*]" for status in S if not TRANSITIONS[status]]
    diagram = [f"    {old or '[*]'} --> {new}" for old, new in edges()] + finals
    table = [f"| {old or '(new)'} | {new} | {_rails((old, new))} | {WHO[old, new]} |" for old, new in edges()]
    return _PAGE.format(diagram="\n".join(diagram), table="\n".join(table))


def _rails(edge: Edge) -> str:
    if edge in LOCAL_ONLY:
        return "local"
    if edge in AGAIN:
        return "both"
    return "remote" if edge in REMOTE_ONLY else ""

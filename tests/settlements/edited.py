"""Edits with every guard asleep, undone again, and the first difference that is found meanwhile."""

from django.db import connection

from settlements import verify
from settlements.verification.differences import Difference

Edits = dict[str, tuple[str, str]]


def found(statement: str) -> str:
    """What is found after an edit, which is undone again."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SAVEPOINT before_the_edit")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount, f"nothing was changed by: {statement}"
        cursor.execute("SET LOCAL session_replication_role = origin")
        try:
            words = first_difference()
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT before_the_edit")
    return words


def first_difference() -> str:
    try:
        for _ in verify.everything():
            pass
    except Difference as difference:
        return str(difference)
    return "nothing"


def each_is_named(edits: Edits) -> None:
    """Every edit is found, and the words name it."""
    assert first_difference() == "nothing"
    missed = {}
    for name, (statement, words) in edits.items():
        difference = found(statement)
        if words not in difference:
            missed[name] = difference
    assert missed == {}

"""The figures of a selection for the screen: the very statement whose answer a file's record holds."""

from django.db import connection

from settlements.exports import statements
from settlements.exports.datasets import Dataset
from settlements.exports.selections import Selection
from settlements.exports.statements import Figures


def read(dataset: Dataset, selection: Selection, *, key: str) -> Figures:
    """Rows and totals as they are now."""
    with connection.cursor() as cursor:
        cursor.execute(statements.figures(dataset, selection, key=key), selection.params or None)
        return statements.figured(cursor.fetchall())

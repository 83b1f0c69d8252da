"""/exports: what the document says of each dataset, out of its definition."""

from typing import Final

from settlements.api.exports import NUMBER_HEADER
from settlements.api.openapi.operation import Answer, Operation, Parameter, query
from settlements.api.openapi.shapes import Schema, identity, text, words
from settlements.exports.datasets import KNOWN, Dataset
from settlements.exports.filters import Filter
from settlements.permissions import Scope

TAG: Final = "Exports"


def _operation(dataset: Dataset) -> Operation:
    columns = "\n".join(f"| `{column.name}` | {column.says} |" for column in dataset.columns)
    name = dataset.name.title().replace("_", "")
    return Operation(
        method="GET",
        path=f"/exports/{dataset.name}.csv",
        id=f"export{name}",
        tag=TAG,
        summary=f"{dataset.title} as CSV",
        description=f"{dataset.says} Streamed as of one moment, in the order of its first column; filters given "
        "together must all hold. Asking leaves a record of who took what. A transfer that breaks off is not complete. "
        f"Needs the scope `{dataset.scope}` as well.\n\nVersion {dataset.version} of the columns:\n\n"
        f"| column | what it is |\n|---|---|\n{columns}",
        scope=Scope.EXPORTS_READ,
        parameters=tuple(_parameter(each) for each in dataset.filters),
        answers=(
            Answer(
                status=200,
                says="The lines; the first names the columns.",
                schema={"type": "string"},
                media_type="text/csv; charset=utf-8",
                headers={
                    NUMBER_HEADER: {"description": "The export's number.", "required": True, "schema": identity()},
                    "Content-Disposition": {
                        "description": "The file's name.",
                        "required": True,
                        "schema": {"type": "string"},
                    },
                },
            ),
        ),
        refusals=("exports_busy",),
    )


def _parameter(each: Filter) -> Parameter:
    return query(each.name, _schema(each), each.says)


def _schema(each: Filter) -> Schema:
    if each.words:
        return words(each.words)
    if each.day:
        return {"type": "string", "format": "date", "pattern": r"^(19[7-9][0-9]|[2-8][0-9]{3})-[0-9]{2}-[0-9]{2}$"}
    return identity() if each.number else text()


OPERATIONS: Final = tuple(_operation(dataset) for dataset in KNOWN.values())

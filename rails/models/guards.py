"""What the database itself refuses, for more than one table: append-only rows and TRUNCATE."""

import pgtrigger


def append_only() -> list[pgtrigger.Trigger]:
    """Rows are written once: no update, no delete, no truncate."""
    return [
        pgtrigger.Protect(name="rows_are_never_updated", operation=pgtrigger.Update),
        *never_removed(),
    ]


def never_removed() -> list[pgtrigger.Trigger]:
    """Rows stay: no delete, no truncate."""
    return [
        pgtrigger.Protect(name="rows_are_never_deleted", operation=pgtrigger.Delete),
        pgtrigger.Trigger(
            name="table_is_never_truncated",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';",
        ),
    ]

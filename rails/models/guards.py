"""What the database itself refuses: the guards' own kind of trigger, and the refusals several tables share."""

from typing import Any

import pgtrigger
from django.db.models import Model
from pgtrigger import compiler


class UnconditionalSql(compiler.UpsertTriggerSql):
    """The trigger without pgtrigger's switch: no session setting turns a guard off. Migrations name this class."""

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}()
            RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql;

            DROP TRIGGER IF EXISTS {pgid} ON {table};
            CREATE {constraint} TRIGGER {pgid}
                {when} {operation} ON {table}
                {timing}
                {referencing}
                FOR EACH {level} {condition}
                EXECUTE PROCEDURE {execute};

            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """


class Unconditional(pgtrigger.Trigger):
    """Mixed into a kind of trigger whose instances nothing but a schema change turns off."""

    def compile(self, model: type[Model]) -> Any:
        compiled = super().compile(model)  # type: ignore[arg-type]
        return compiler.Trigger(name=compiled.name, sql=UnconditionalSql(**compiled.sql.kwargs))


class Guard(Unconditional, pgtrigger.Trigger):
    """A free-form guard."""


class Protect(Unconditional, pgtrigger.Protect):
    """A guard against whole operations."""


class Fsm(Unconditional, pgtrigger.FSM):
    """A guard over which value may follow which."""


def append_only() -> list[pgtrigger.Trigger]:
    """Rows are written once: no update, no delete, no truncate."""
    return [
        Protect(name="rows_are_never_updated", operation=pgtrigger.Update),
        *never_removed(),
    ]


def never_removed() -> list[pgtrigger.Trigger]:
    """Rows stay: no delete, no truncate."""
    return [
        Protect(name="rows_are_never_deleted", operation=pgtrigger.Delete),
        Guard(
            name="table_is_never_truncated",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';",
        ),
    ]

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

    def compile(self, model: Model) -> Any:
        compiled = super().compile(model)
        return compiler.Trigger(name=compiled.name, sql=UnconditionalSql(**compiled.sql.kwargs))


class Guard(Unconditional, pgtrigger.Trigger):
    """A free-form guard."""


class Protect(Unconditional, pgtrigger.Protect):
    """A guard against whole operations."""


class Fsm(Unconditional, pgtrigger.FSM):
    """A guard over which value may follow which."""


def append_only() -> list[pgtrigger.Trigger]:
    """Rows are written once: no update, no delete, no truncate."""
    return [never_updated(), *never_removed()]


def never_removed() -> list[pgtrigger.Trigger]:
    """Rows stay: no delete, no truncate."""
    return [
        Protect(name="rows_are_never_deleted", operation=pgtrigger.Delete),
        never_truncated(),
    ]


def never_updated() -> pgtrigger.Trigger:
    """Rows stay as they were written."""
    return Protect(name="rows_are_never_updated", operation=pgtrigger.Update)


def never_truncated() -> pgtrigger.Trigger:
    """The table is not emptied."""
    return Guard(
        name="table_is_never_truncated",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';",
    )


def verdict_decides(column: str, called: str) -> str:
    """What may become of a staged file on which people have a verdict, or are to have one: trigger code."""
    return f"""
        IF NEW.state = OLD.state THEN
            RETURN NEW;
        END IF;
        IF NEW.state = 'NEVER_SENT' AND NOT EXISTS (
            SELECT 1 FROM rails_fileverdict v
            WHERE v.{column} = NEW.id AND v.verdict = 'NEVER_SENT' AND v.confirmed_at IS NOT NULL) THEN
            RAISE EXCEPTION '{called} %: two people say that it was never sent', OLD.name
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.state = 'HANDED_OVER' AND EXISTS (
            SELECT 1 FROM rails_fileverdict v WHERE v.{column} = NEW.id AND v.taken_back_at IS NULL
            AND (v.verdict <> 'AT_THE_BANK' OR v.confirmed_at IS NULL)) THEN
            RAISE EXCEPTION '{called} %: people judge whether the bank has it', OLD.name
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    """

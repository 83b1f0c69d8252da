"""What the migrations make of guards and constraints is on record in a file, and the file is of these migrations."""

from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from settlements.management.commands.schema_file import STALE
from settlements.verification import catalog, guards
from settlements.verification.differences import Difference

pytestmark = pytest.mark.django_db


def test_the_file_is_what_the_migrations_make() -> None:
    known, found = catalog.by_migrations(), catalog.live()
    assert known.objects.keys() == found.objects.keys(), STALE
    changed = [name for name, digest in known.objects.items() if digest != found.objects[name]]
    assert known.version != found.version or changed == [], STALE
    assert catalog.is_of_these_migrations(), STALE


def test_the_file_is_stale_when_a_migration_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("schema_file", "--check")
    monkeypatch.setattr(catalog, "_migrations", lambda: "0" * 64)
    with pytest.raises(CommandError, match="make schema"):
        call_command("schema_file", "--check")


def test_every_kind_of_object_of_ours_is_in_it() -> None:
    objects = catalog.by_migrations().objects
    assert {kind for kind, _ in objects} == {"columns", "constraint", "function", "guard", "unique index", "view"}
    for known in (
        ("guard", "rails_journalentry.a_house_entry_is_told"),
        ("function", "settlements_house_entry_is_told()"),
        ("constraint", "settlements_officeevent.office_sequence_starts_at_1"),
        ("unique index", "rails_journalentry.milestone_has_one_first_release"),
        ("view", "reporting.journal"),
    ):
        assert known in objects


def test_of_another_version_only_names_and_functions_are_compared_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What PostgreSQL writes differently from one version to the next is no difference."""
    found = catalog.live()
    other = {
        key: digest if key[0] == catalog.FUNCTION else "written otherwise" for key, digest in found.objects.items()
    }
    monkeypatch.setattr(catalog, "live", lambda: replace(found, version=found.version + 1, objects=other))
    guards.check()
    (note,) = guards.notes()
    assert f"this is {found.version + 1}" in note
    function = next(key for key in other if key[0] == catalog.FUNCTION)
    other[function] = "another body"
    with pytest.raises(Difference, match="not as the migrations made it"):
        guards.check()

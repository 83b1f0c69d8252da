"""The groups in the database are those of the table, and the table is what docs/roles.md tells."""

from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission

from compliance import roles
from compliance.roles import READABLE_APPS, ROLES, Role
from settlements.permissions import Permission as P

READS = {P.READ_INTENTS, P.READ_TOKENS, P.READ_RECIPIENTS, P.READ_AUDIT, P.READ_QUEUE}


def granted(role: Role) -> set[str]:
    group = Group.objects.get(name=role.value)
    return {f"{label}.{word}" for label, word in group.permissions.values_list("content_type__app_label", "codename")}


@pytest.mark.parametrize("role", list(Role))
def test_migrations_give_each_group_what_the_table_says_and_no_more(db, role):
    views = {
        f"{model._meta.app_label}.view_{model._meta.model_name}"
        for label in READABLE_APPS
        for model in apps.get_app_config(label).get_models()
    }
    assert granted(role) == views | {word.full_name for word in ROLES[role]}


@pytest.mark.parametrize("role", list(Role))
def test_every_role_reads(role):
    assert ROLES[role] >= READS


def test_only_compliance_decides_and_holds():
    for word in (P.DECIDE_SETTLEMENT, P.HOLD_SETTLEMENT):
        assert {role for role in Role if word in ROLES[role]} == {Role.COMPLIANCE_OFFICER, Role.COMPLIANCE_MANAGER}


def test_the_auditor_only_reads_and_takes_what_is_read_along():
    assert ROLES[Role.AUDITOR] == READS | {P.OVERSEE_DECISIONS, P.EXPORT_DATA}


def test_installing_again_repairs_a_group_and_is_otherwise_without_effect(db):
    group = Group.objects.get(name=Role.AUDITOR.value)
    before = granted(Role.AUDITOR)
    group.permissions.add(Permission.objects.get(codename="decide_settlement"))
    group.permissions.remove(Permission.objects.get(codename="read_audit"))
    roles.install()
    roles.install()
    assert granted(Role.AUDITOR) == before
    assert Group.objects.count() == len(Role)


def test_the_document_names_every_role():
    text = (Path(settings.BASE_DIR) / "docs" / "roles.md").read_text()
    assert [role for role in Role if role.value not in text] == []

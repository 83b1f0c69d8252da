"""Which role may do what: groups and their permissions, as a table (docs/roles.md tells it in words)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from django.apps import apps as live_apps
from django.contrib.auth.management import create_permissions

from settlements.permissions import Permission as P

# Models of these apps can be looked up in the admin by every role.
READABLE_APPS: Final = ("rails", "settlements")


class Role(StrEnum):
    """The groups that staff belong to."""

    COMPLIANCE_OFFICER = "Compliance Officer"
    COMPLIANCE_MANAGER = "Compliance Manager"
    FINANCE = "Finance"
    OPERATIONS = "Operations"
    AUDITOR = "Auditor"


_READS: Final = frozenset({P.READ_INTENTS, P.READ_TOKENS, P.READ_RECIPIENTS, P.READ_AUDIT, P.READ_QUEUE})
_OPERATES: Final = frozenset({P.CREATE_INTENT, P.SETTLE_INTENT, P.WRITE_TOKENS, P.WRITE_RECIPIENTS, P.POST_EVENTS})
# Officers operate too; what keeps them honest is that nobody approves what they created or whom they edited.
_DECIDES: Final = frozenset({P.DECIDE_SETTLEMENT, P.HOLD_SETTLEMENT, P.ASSIGN_SETTLEMENT, P.ANNOTATE_SETTLEMENT})
_MANAGES: Final = frozenset({P.CANCEL_INTENT, P.COMPLETE_INTENT, P.OVERSEE_DECISIONS, P.RESOLVE_PAYMENT})
# Money on its way at a bank or provider: who confirms a destination is never who wrote it, whatever their role.
_ON_RAILS: Final = frozenset({P.CONFIRM_DESTINATION, P.MANAGE_RAILS, P.HANDLE_BANK_FILES, P.CONFIRM_WIRE})
# What leaves the house as a file, and what is final once it is signed off.
_KEEPS_BOOKS: Final = frozenset({P.EXPORT_DATA, P.CLOSE_DAY, P.RESOLVE_DIFFERENCE})

ROLES: Final[Mapping[Role, frozenset[P]]] = MappingProxyType(
    {
        Role.COMPLIANCE_OFFICER: _READS | _OPERATES | _DECIDES | {P.CONFIRM_DESTINATION, P.RESOLVE_PAYMENT},
        Role.COMPLIANCE_MANAGER: _READS | _OPERATES | _DECIDES | _MANAGES | _ON_RAILS | {P.EXPORT_DATA},
        Role.FINANCE: _READS
        | _KEEPS_BOOKS
        | {P.COMPLETE_INTENT, P.ANNOTATE_SETTLEMENT, P.CONFIRM_DESTINATION, P.HANDLE_BANK_FILES, P.CONFIRM_WIRE},
        Role.OPERATIONS: _READS
        | _OPERATES
        | {P.CANCEL_INTENT, P.MANAGE_INTEGRATIONS, P.ANNOTATE_SETTLEMENT, P.MANAGE_RAILS, P.HANDLE_BANK_FILES},
        Role.AUDITOR: _READS | {P.OVERSEE_DECISIONS, P.EXPORT_DATA},
    }
)


def install(apps: Any = live_apps) -> None:
    """Gives each role's group exactly the permissions of the table, creating what is missing; may run again and again.

    Called by migrations with their historical apps: permissions of models that come later are granted by a later call.
    """
    _create_permissions(apps)
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    in_our_apps = permission_model.objects.filter(content_type__app_label__in=READABLE_APPS)
    views = list(in_our_apps.filter(codename__startswith="view_"))
    for role, permissions in ROLES.items():
        group, _ = group_model.objects.get_or_create(name=role.value)
        group.permissions.set([*views, *in_our_apps.filter(codename__in=[word.value for word in permissions])])


def _create_permissions(apps: Any) -> None:
    """Django creates permissions only after the last migration; the groups need them during it."""
    for label in READABLE_APPS:
        config = apps.get_app_config(label)
        module = getattr(config, "models_module", None)
        # Historical apps have no modules, and Django takes that for an app without models.
        config.models_module = module or True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = module

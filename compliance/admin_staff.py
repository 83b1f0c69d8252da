"""Logins and roles in the admin; superusers manage them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from rails.admin_columns import column, minute, tag
from rails.admin_pages import Titled
from rails.wording import yes_or_no

# What a role may hold: the permissions of work; the rest is for superusers, who need none.
_APPS_OF_ROLES = ("rails", "settlements", "compliance")

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.display(description="roles")
def roles(row: User) -> str:
    """What the person works as."""
    return ", ".join(group.name for group in row.groups.all()) or "-"


_ACTIVE = column("is_active", lambda on: tag("Active" if on else "Locked out", "cp-low" if on else ""), "state")
_SUPERUSER = column("is_superuser", yes_or_no, "superuser")
_LAST_LOGIN = column("last_login", minute, "last login (UTC)")


def _name_of(permission: Any) -> str:
    """The permission in words, without the table it hangs on."""
    return str(permission.name)


class CheckedAdmin(Titled):
    """Choices among a few, each a box to tick."""

    show_add_link = False

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(
            db_field, request, **{**kwargs, "widget": UnfoldAdminCheckboxSelectMultipleWidget()}
        )
        if field is not None:
            field.help_text = ""
        return field


@admin.register(User)
class LoginAdmin(DjangoUserAdmin, CheckedAdmin):  # type: ignore[type-arg]
    """People, by their roles; nobody has permissions of their own."""

    called = "Logins"
    row_called = "Login"
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = [
        "username",
        "email",
        "first_name",
        "last_name",
        roles,
        _ACTIVE,
        _SUPERUSER,
        _LAST_LOGIN,
    ]
    list_filter = ["is_active", "is_superuser", "groups"]
    filter_horizontal = ()
    fieldsets: ClassVar[Any] = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("Access", {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        found: QuerySet[User] = super().get_queryset(request)
        return found.prefetch_related("groups")


@admin.register(Group)
class RoleAdmin(DjangoGroupAdmin, CheckedAdmin):
    """Roles come with the installation (docs/roles.md); what is ticked here holds until the next one does."""

    called = "Roles"
    row_called = "Role"
    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            permissions = Permission.objects.filter(content_type__app_label__in=_APPS_OF_ROLES)
            field.queryset = permissions.select_related("content_type").order_by("content_type__app_label", "name")
            field.label_from_instance = _name_of  # type: ignore[method-assign,assignment]
        return field

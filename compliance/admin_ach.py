"""ACH in the admin: files and entries with their acts, and the bank's files, which can be uploaded."""

from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from compliance import ach_acts, recent
from compliance.ach_acts import UploadForm
from compliance.lost_file_acts import OF_LOST
from compliance.pages import may
from compliance.row_acts import ActingAdmin
from compliance.uploads import LARGEST_BANK_FILE
from rails import admin_ach
from rails.ach import inbox
from rails.ach.items import NotHandedOverYet
from rails.ach.rail import AchRail, configured
from rails.models import AchEntry, AchFile, AchInboundFile, AchInboundItem, AchItemStanding, AchOutcome, AchReversal
from rails.pickup import InboxUnusable
from rails.wording import counted
from settlements.permissions import Permission

admin.site.register(AchReversal, admin_ach.AchReversalAdmin)
admin.site.register(AchOutcome, admin_ach.AchOutcomeAdmin)


@admin.register(AchFile)
class AchFileActs(ActingAdmin, admin_ach.AchFileAdmin):
    """Files that were handed to the bank, which may refuse them."""

    acts = (*ach_acts.OF_FILE, *OF_LOST)


@admin.register(AchEntry)
class AchEntryActs(ActingAdmin, admin_ach.AchEntryAdmin):
    """Entries, which may be reversed."""

    acts = ach_acts.OF_ENTRY


@admin.register(AchInboundItem)
class AchInboundItemActs(ActingAdmin, admin_ach.AchInboundItemAdmin):
    """What the bank says, which somebody deals with."""

    acts = ach_acts.OF_ITEM


@admin.register(AchInboundFile)
class AchInboundFileActs(ActingAdmin, admin_ach.AchInboundFileAdmin):
    """The bank's files, which somebody deals with if they are quarantined, and the page that takes one by hand."""

    acts = ach_acts.OF_QUARANTINED
    may_upload: ClassVar[Permission] = Permission.HANDLE_BANK_FILES

    def get_urls(self) -> list[URLPattern]:
        upload = path("upload/", self.admin_site.admin_view(self.upload_view), name="rails_achinboundfile_upload")
        return [upload, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"may_upload": may(request, self.may_upload) and AchRail().is_configured()}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the form. POST: the file is read as one in the inbox is, and kept there."""
        if not may(request, self.may_upload):
            raise PermissionDenied
        again = recent.require_recent(request)
        if again is not None:
            return again
        if request.method != "POST":
            return self._page(request, UploadForm(initial=recent.kept(request).dict()))
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, form, status=400)
        file, user = form.cleaned_data["file"], cast(User, request.user)
        if file.size > LARGEST_BANK_FILE:
            form.add_error("file", f"The file is larger than {LARGEST_BANK_FILE:,} bytes; put it into the inbox.")
            return self._page(request, form, status=413)
        if not AchRail().is_configured():
            form.add_error(None, "ACH is not enabled in this installation.")
            return self._page(request, form, status=409)
        try:
            row, new = inbox.upload(
                configured(),
                name=file.name,
                content=file.read(),
                user=user,
                actor=f"user:{user.get_username()}",
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except NotHandedOverYet as waits:
            form.add_error("file", f"Not yet: {waits}.")
            return self._page(request, form, status=409)
        except InboxUnusable as trouble:
            form.add_error(None, f"The file can not be kept in the inbox, and nothing of it was applied: {trouble}.")
            return self._page(request, form, status=409)
        _tell(request, row, new=new)
        return HttpResponseRedirect(reverse("admin:rails_achinboundfile_change", args=[row.pk]))

    def _page(self, request: HttpRequest, form: UploadForm, *, status: int = 200) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Upload a file of the bank",
            "form": form,
        }
        return TemplateResponse(request, "admin/compliance/ach/upload.html", context, status=status)


def _read(row: AchInboundFile) -> str:
    """How many items were read, and how many of them changed anything."""
    applied = row.items.filter(standing=AchItemStanding.APPLIED).count()
    waits = row.items.filter(waits=True).count()
    told = [f"{counted(row.item_count, 'item')} read, {applied} applied"]
    told += [f"{waits} {'waits' if waits == 1 else 'wait'} for a person"] if waits else []
    return f"{'; '.join(told)}."


def _tell(request: HttpRequest, row: AchInboundFile, *, new: bool) -> None:
    if not new:
        messages.warning(request, "These bytes were read before, under the name below: nothing was done again.")
    elif row.faults:
        messages.error(request, "The file is quarantined: nothing of it was applied. What is wrong stands below.")
    else:
        messages.success(request, _read(row))

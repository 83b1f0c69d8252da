"""The dossier of a payment intent, from its page: by POST, for those who may export, each on record."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST

from settlements.dossier import making
from settlements.permissions import Permission
from settlements.proof import keys, publishing

_NEEDED = [Permission.EXPORT_DATA.full_name, Permission.READ_INTENTS.full_name, Permission.READ_AUDIT.full_name]

if TYPE_CHECKING:
    from settlements.admin_columns import SettlementsAdmin as _Base
else:
    _Base = object


def may_make(request: HttpRequest) -> bool:
    """Whether this person may take a dossier with them."""
    return cast(User, request.user).has_perms(_NEEDED)


class WithDossier(_Base):
    """The page of an intent has a button for its dossier."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.dossier_view))
        return [path("<int:intent_id>/dossier/", view, name="settlements_paymentintent_dossier"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"may_make_dossier": may_make(request)}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def dossier_view(self, request: HttpRequest, intent_id: int) -> HttpResponseBase:
        """The ZIP; back to the page, with what is in the way, where none is handed out."""
        if not (self.has_view_permission(request) and may_make(request)):
            raise PermissionDenied
        try:
            by = f"user:{cast(User, request.user).get_username()}"
            dossier = making.make(intent_id, by=by, clock=timezone.now)
        except making.NoSuchIntent as missing:
            raise Http404(str(missing)) from missing
        except (making.KeepsChanging, making.NotPublished, making.Contradicts) as refused:
            return self._back(request, intent_id, f"No dossier was made. {refused}")
        except (keys.NoKey, publishing.CopyDiffers) as refused:
            return self._back(request, intent_id, f"No dossier was made. {refused}")
        except IntegrityError as contradiction:
            return self._back(request, intent_id, f"No dossier was made; history was cut: {contradiction}")
        response = HttpResponse(dossier.content, content_type="application/zip")
        response["Content-Disposition"] = content_disposition_header(True, dossier.file_name) or "attachment"
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def _back(self, request: HttpRequest, intent_id: int, words: str) -> HttpResponse:
        self.message_user(request, words, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:settlements_paymentintent_change", args=[intent_id]))

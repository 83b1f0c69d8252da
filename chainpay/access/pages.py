"""The pages of logging in: django-allauth's views, dressed like the rest of the admin, each with what it lacks here."""

import logging
from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.internal.flows import logout as logout_flow
from allauth.account.internal.flows import reauthentication
from allauth.account.views import LoginView as AllauthLoginView
from allauth.account.views import ReauthenticateView
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, ReauthenticateWebAuthnView, RemoveWebAuthnView
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse, reverse_lazy
from django.views.decorators.http import require_POST

from chainpay.access import enrolment, gate, sessions
from chainpay.access.adapters import has_second_factor
from chainpay.access.forms import ActivateForm, ConfirmForm, PasswordForm

logger = logging.getLogger(__name__)


class StaffPage:
    """What the admin's layouts need to know."""

    title = ""
    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        inside = self.request.user.is_authenticated and gate.is_open(self.request)
        return {
            **admin.site.each_context(self.request),
            "title": self.title,
            "layout": "access/inside.html" if inside else "access/entrance.html",
            "enforced": not settings.CHAINPAY_DEMO,
            **shown,
        }


class LoginPage(StaffPage, AllauthLoginView):
    """User name and password; says why the last session ended."""

    title = "Log in"
    template_name = "account/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "ended": sessions.words(self.request.GET.get("ended", ""))}

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if form.has_error("__all__", "locked"):
            response.status_code = 429
        return response


class CodePage(StaffPage, AuthenticateView):
    """The second step of logging in."""

    title = "Second factor"
    template_name = "mfa/authenticate.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has_key = has_second_factor(self.stage.login.user, [Authenticator.Type.WEBAUTHN])
        return {**super().get_context_data(**kwargs), "has_key": has_key}


class ConfirmPage(StaffPage, ReauthenticateView):
    """Password and second factor again, and back to where the person was."""

    title = "Confirm that it is you"
    template_name = "account/reauthenticate.html"

    def form_valid(self, form: ConfirmForm) -> HttpResponse:
        if form.authenticator is not None:
            post_authentication(self.request, form.authenticator, reauthenticated=True)
        if form.goes_on_to_key:
            reauthentication.reauthenticate_by_password(self.request)
            return HttpResponseRedirect(self.passthrough_next_url(reverse("mfa_reauthenticate_webauthn")))
        return cast(HttpResponse, super().form_valid(form))


class ConfirmByKeyPage(StaffPage, ReauthenticateWebAuthnView):
    """The security key, after the password."""

    title = "Confirm that it is you"
    template_name = "mfa/webauthn/reauthenticate.html"


class FactorsPage(StaffPage, IndexView):
    """What is set up, and what could be."""

    title = "Second factor"
    template_name = "mfa/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "enrolled": has_second_factor(self.request.user)}


class ActivatePage(StaffPage, ActivateTOTPView):
    """A new authenticator app. Its first code is also the second factor of this session."""

    title = "Set up an authenticator app"
    template_name = "mfa/totp/activate_form.html"

    def form_valid(self, form: ActivateForm) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        authenticator = Authenticator.objects.get(user=_user(self.request), type=Authenticator.Type.TOTP)
        enrolment.forget(self.request)
        enrolment.used_up(authenticator, form.counter)
        post_authentication(self.request, authenticator)
        logger.info("Second factor set up: user=%s, type=totp", authenticator.user_id)
        return response


class DeactivatePage(StaffPage, DeactivateTOTPView):
    """Takes an authenticator app away; outside the demo another one has to follow at once."""

    title = "Remove the authenticator app"
    template_name = "mfa/totp/deactivate_form.html"

    def form_valid(self, form: Any) -> HttpResponse:
        logger.info("Second factor removed: user=%s, type=totp", _user(self.request).pk)
        return cast(HttpResponse, super().form_valid(form))


class AddKeyPage(StaffPage, AddWebAuthnView):
    """A new security key. It was touched just now, so it is also the second factor of this session."""

    title = "Add a security key"
    template_name = "mfa/webauthn/add_form.html"

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        keys = Authenticator.objects.filter(user=_user(self.request), type=Authenticator.Type.WEBAUTHN)
        authenticator = keys.latest("pk")
        post_authentication(self.request, authenticator)
        logger.info("Second factor set up: user=%s, type=webauthn", authenticator.user_id)
        return response


class RemoveKeyPage(StaffPage, RemoveWebAuthnView):
    """Takes a security key away."""

    title = "Remove the security key"
    template_name = "mfa/webauthn/authenticator_confirm_delete.html"

    def form_valid(self, form: Any) -> HttpResponse:
        logger.info("Second factor removed: user=%s, type=webauthn", _user(self.request).pk)
        return cast(HttpResponse, super().form_valid(form))


class RecoveryCodesPage(StaffPage, ViewRecoveryCodesView):
    """The recovery codes, once; afterwards how many are left."""

    title = "Recovery codes"
    template_name = "mfa/recovery_codes/index.html"


class NewRecoveryCodesPage(StaffPage, GenerateRecoveryCodesView):
    """Ten new codes instead of the old ones."""

    title = "New recovery codes"
    template_name = "mfa/recovery_codes/generate.html"


class PasswordPage(StaffPage, PasswordChangeView):
    """A new password, for who knows the old one. All other sessions of this login end."""

    title = "Change password"
    template_name = "registration/password_change_form.html"
    form_class = PasswordForm
    success_url = reverse_lazy("admin:index")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Other sessions of this login have ended.")
        return super().form_valid(form)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """Ends the session, or a log-in that has not come to its end."""
    logout_flow.logout(request, show_message=False)
    return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'ended': 'logout'})}")


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)

"""What people type to get in. Every attempt is counted before it is looked at (`access.lockout`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows import login as login_flow
from allauth.account.models import Login
from allauth.core import context
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from chainpay.access import codes, enrolment, lockout
from chainpay.access.adapters import has_second_factor
from chainpay.access.addresses import client_address
from chainpay.access.lockout import Kind, LockedOut, Subject

_LONGEST_CODE = 20
_WRONG_LOGIN = "The user name and password do not belong to a login of staff. Both are case-sensitive."
_WRONG_PASSWORD = "This is not your password."
_WRONG_CODE = "This code is wrong, or was used before. Wait for the next one."
_UNREADABLE = "Your second factor can not be read. Ask whoever runs ChainPay to reset it."


def _locked(error: LockedOut) -> forms.ValidationError:
    minutes = max(1, round((error.until - timezone.now()).total_seconds() / 60))
    until = timezone.localtime(error.until).strftime("%H:%M")
    message = f"Too many failed attempts. Try again after {until} UTC, in {minutes} minute{'s' if minutes > 1 else ''}."
    return forms.ValidationError(message, code="locked")


class _Counted:
    """One attempt: counted, then looked at, then told to the count."""

    def __init__(self, *subjects: Subject) -> None:
        self._subjects = subjects
        self._now: datetime = timezone.now()
        try:
            lockout.begin(subjects, now=self._now)
        except LockedOut as error:
            raise _locked(error) from error

    def right(self) -> None:
        lockout.succeeded(self._subjects)

    def wrong(self, message: str) -> forms.ValidationError:
        """What to raise."""
        try:
            lockout.failed(self._subjects, now=self._now)
        except LockedOut as error:
            return _locked(error)
        return forms.ValidationError(message, code="wrong")


def _address(request: HttpRequest) -> Subject:
    return Subject(Kind.ADDRESS, client_address(request))


def _used(user: User, code: str, subjects: Sequence[Subject]) -> Authenticator:
    """The authenticator whose code this is. Raises ValidationError."""
    attempt = _Counted(*subjects)
    try:
        authenticator = codes.use(user, code)
    except codes.CannotCheck as error:
        raise forms.ValidationError(_UNREADABLE, code="unreadable") from error
    if authenticator is None:
        raise attempt.wrong(_WRONG_CODE)
    attempt.right()
    # allauth notes the use with the user it knows, not with one read again.
    authenticator.user = user
    return authenticator


def _own_password(user: User, password: str) -> str:
    """The password of who is logged in. Raises ValidationError."""
    attempt = _Counted(Subject(Kind.CONFIRMATION, str(user.pk)))
    if not user.check_password(password):
        raise attempt.wrong(_WRONG_PASSWORD)
    attempt.right()
    return password


class LoginForm(AuthenticationForm):
    """User name and password; the field names are those of Django's own login form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._login: Login | None = None

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError: the same words whether or not there is such a login."""
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not username or not password:
            return self.cleaned_data
        assert self.request is not None
        attempt = _Counted(Subject(Kind.LOGIN, username), _address(self.request))
        user = get_adapter().authenticate(self.request, username=username, password=password)
        if user is None:
            raise attempt.wrong(_WRONG_LOGIN)
        attempt.right()
        self._login = Login(user=user)
        return self.cleaned_data

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """On to the second factor if there is one, else into the admin, where the gate waits."""
        assert self._login is not None
        self._login.redirect_url = redirect_url
        credentials = {"username": self.cleaned_data["username"]}
        return login_flow.perform_password_login(request, credentials, self._login)


def _code_field(**extra: Any) -> forms.CharField:
    attrs = {"autocomplete": "one-time-code", "autocapitalize": "off", "spellcheck": "false"}
    return forms.CharField(
        label="Code", max_length=_LONGEST_CODE, widget=UnfoldAdminTextInputWidget(attrs=attrs), **extra
    )


class CodeForm(forms.Form):
    """The second step of logging in: a code of the authenticator app, or a recovery code."""

    code = _code_field(help_text="From your authenticator app; or one of your recovery codes.")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["code"].widget.attrs["autofocus"] = True

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        subjects = [Subject(Kind.CODE, str(self.user.pk)), _address(context.request)]
        self.authenticator = _used(self.user, code, subjects)
        return code

    def save(self) -> None:
        """Notes in the session that the second factor was used."""
        post_authentication(context.request, self.authenticator)


class ConfirmForm(forms.Form):
    """Who is logged in shows it again: password, and the second factor if there is one."""

    password = forms.CharField(
        label="Password",
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    code = _code_field()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.authenticator: Authenticator | None = None
        self.has_key = has_second_factor(user, [Authenticator.Type.WEBAUTHN])
        if not has_second_factor(user):
            del self.fields["code"]
        elif self.has_key:
            self.fields["code"].required = False
            self.fields["code"].help_text = "Leave it empty to use your security key in the next step."

    @property
    def goes_on_to_key(self) -> bool:
        """Whether the security key is still to be shown."""
        return self.has_key and self.authenticator is None

    def clean_password(self) -> str:
        return _own_password(self.user, self.cleaned_data["password"])

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        # A code is used up by looking at it: not before the password was right.
        if code and "password" in self.cleaned_data:
            self.authenticator = _used(self.user, code, [Subject(Kind.CODE, str(self.user.pk))])
        return code


class PasswordForm(AdminOwnPasswordChangeForm):
    """A new password; guesses at the old one are counted too."""

    def clean_old_password(self) -> str:
        return _own_password(self.user, self.cleaned_data["old_password"])


class ActivateForm(forms.Form):
    """The first code of a new authenticator app proves that it has the secret."""

    code = _code_field(help_text="The six digits that the app shows now.")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.counter = -1
        self.secret = enrolment.waiting_secret(context.request)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        attempt = _Counted(Subject(Kind.CODE, str(self.user.pk)))
        counter = codes.counter_of(self.secret, code)
        if counter is None:
            raise attempt.wrong("This code is wrong. Is the clock of your phone right?")
        attempt.right()
        self.counter = counter
        return code

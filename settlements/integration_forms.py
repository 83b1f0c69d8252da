"""What is filled in about event sources and API keys, in the admin and on the command line."""

from datetime import timedelta
from typing import Any, Final

from django import forms

from rails.wording import in_words
from settlements import redaction, sources
from settlements.models.event_source import MOST_PER_SECOND
from settlements.permissions import GRANTABLE, Scope
from settlements.statuses import EVENT_WORDS
from settlements.values import LONGEST_NAME, InvalidValue, visible_text

LONGEST_REASON: Final = 500
DEFAULT_DAYS: Final = 365
MOST_DAYS: Final = 3_650
MINE, SERVICE = "mine", "service"

_HOUR: Final = timedelta(hours=1)
_NAME_HELP: Final = "Letters, digits, - and _; it never changes"


class VisibleField(forms.CharField):
    """Text with something to see, on one line, as the API takes it."""

    def clean(self, value: Any) -> str:
        text = str(super().clean(value))
        try:
            return visible_text(text, longest=self.max_length or 1) if text else ""
        except InvalidValue as invalid:
            raise forms.ValidationError(f"This {invalid.detail}.") from invalid


def _name(help_text: str = _NAME_HELP) -> forms.SlugField:
    return forms.SlugField(
        max_length=LONGEST_NAME,
        help_text=help_text,
        error_messages={
            "required": "A name is needed.",
            "invalid": "A name has letters without accents, digits, - and _ only.",
            "max_length": f"A name has at most {LONGEST_NAME} characters.",
        },
    )


def _carrier(*, required: bool, help_text: str) -> VisibleField:
    return VisibleField(label="Carrier id", max_length=200, required=required, help_text=help_text)


def _requests_per_second() -> forms.IntegerField:
    return forms.IntegerField(
        label="Requests per second",
        required=False,
        min_value=1,
        max_value=MOST_PER_SECOND,
        help_text="Empty: the limit of the installation (CHAINPAY_REQUESTS_PER_SECOND)",
    )


def _event_types(help_text: str = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label="Allowed event types",
        choices=[(word, in_words(word)) for word in EVENT_WORDS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=help_text,
        error_messages={"invalid_choice": f"Event types are {', '.join(EVENT_WORDS)}."},
    )


class NameForm(forms.Form):
    """Which source or key is meant."""

    name = _name()


class SourceForm(forms.Form):
    """A new source: of a carrier if it has a carrier id, otherwise of the platform."""

    name = _name(f"{_NAME_HELP}. Whoever posts says it in X-Event-Source")
    carrier_id = _carrier(required=False, help_text="It reaches only freight tokens with this carrier id")
    allowed_event_types = _event_types()
    requests_per_second = _requests_per_second()


class CarrierSourceForm(SourceForm):
    """Of a carrier; a payee does not close the claim window of its own shipments unless that is ticked."""

    carrier_id = _carrier(
        required=True, help_text="It reaches only shipments whose freight token has this carrier id; it never changes"
    )
    allowed_event_types = _event_types("Anything else it posts is refused. Claim window closed frees its own hold-back")


class PlatformSourceForm(SourceForm):
    """Of the platform itself, which may post about every shipment."""

    carrier_id = None  # type: ignore[assignment]
    allowed_event_types = _event_types("None ticked: every type, those to come included")


class ReasonForm(forms.Form):
    """Why something is done; the history keeps it, without what looks like a secret."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="Kept in the history with your name",
        error_messages={"required": "Write down the reason: it is kept in the history."},
    )

    def clean_reason(self) -> str:
        """Raises ValidationError for what nobody can read."""
        try:
            return redaction.text(visible_text(self.cleaned_data["reason"], longest=LONGEST_REASON, multiline=True))
        except InvalidValue as invalid:
            raise forms.ValidationError(f"The reason {invalid.detail}.") from invalid


class SeenForm(ReasonForm):
    """The same, about the source as it was on the screen: what was posted once is not done twice."""

    revision = forms.IntegerField(
        widget=forms.HiddenInput,
        min_value=1,
        max_value=2**63 - 1,
        error_messages={"required": "The form has lost what it is about; open the source again."},
    )


class SourceChangeForm(SeenForm):
    """What may change of a source."""

    allowed_event_types = _event_types("None ticked: every type for a platform source; a carrier's needs one")
    requests_per_second = _requests_per_second()
    active = forms.BooleanField(required=False, help_text="While inactive, whatever it posts is answered 401")
    field_order = ("active", "allowed_event_types", "requests_per_second", "reason")


class OverlapForm(forms.Form):
    """How long the live secrets stay good beside a new one."""

    overlap_hours = forms.IntegerField(
        label="Overlap in hours",
        min_value=0,
        max_value=sources.LONGEST_OVERLAP // _HOUR,
        initial=sources.OVERLAP // _HOUR,
        help_text="So long the secrets of today are accepted too. 0 ends them at once: for one that has leaked",
    )

    def clean_overlap_hours(self) -> timedelta:
        """The hours as a time span."""
        return _HOUR * int(self.cleaned_data["overlap_hours"])


class RotateForm(OverlapForm, SeenForm):
    """The same with a reason."""

    field_order = ("overlap_hours", "reason")


class KeyForm(forms.Form):
    """A new key; whose it is, is asked by who asks."""

    name = _name()
    service = forms.SlugField(
        label="Name of the service",
        max_length=LONGEST_NAME,
        required=False,
        help_text="Only for a service: letters, digits, - and _; what it does is recorded in this name",
        error_messages={
            "invalid": "A service's name has letters without accents, digits, - and _ only.",
            "max_length": f"A service's name has at most {LONGEST_NAME} characters.",
        },
    )
    carrier_id = _carrier(
        required=False,
        help_text="Only for a service that is one carrier's: it only reads what is about its own tokens",
    )
    scopes = forms.TypedMultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in sorted(GRANTABLE)],
        coerce=Scope,
        widget=forms.CheckboxSelectMultiple,
        help_text="A person's key never does more than the person may; what compliance does is for persons only",
        error_messages={
            "required": "A key needs at least one scope.",
            "invalid_choice": f"Scopes are {', '.join(sorted(GRANTABLE))}.",
        },
    )
    expires_in_days = forms.IntegerField(
        label="Expires in days", min_value=1, max_value=MOST_DAYS, initial=DEFAULT_DAYS
    )
    requests_per_second = _requests_per_second()

    def clean_expires_in_days(self) -> timedelta:
        """The days as a time span."""
        return timedelta(days=self.cleaned_data["expires_in_days"])


class KeyOfMineForm(KeyForm):
    """In the admin a key is one's own or a service's, never another person's."""

    owner = forms.ChoiceField(widget=forms.RadioSelect, initial=SERVICE)
    field_order = ("name", "owner", "service", "carrier_id", "scopes", "expires_in_days", "requests_per_second")

    def __init__(self, *args: Any, username: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ChoiceField)
        owner.choices = [(SERVICE, "a service"), (MINE, f"myself, {username}")]

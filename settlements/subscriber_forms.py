"""What staff fill in about subscribers."""

from django import forms

from rails.wording import in_words
from settlements import subscribers
from settlements.statuses import TO_SUBSCRIBE

_HOURS = int(subscribers.LONGEST_OVERLAP.total_seconds()) // 3600
_LONGEST_CARRIER_ID = 200


class SubscriberForm(forms.Form):
    """Where a subscriber is told, and of what."""

    url = forms.CharField(
        label="URL", max_length=2_000, widget=forms.URLInput(attrs={"size": 70}), help_text="https, on a public address"
    )
    event_types = forms.MultipleChoiceField(
        label="Told of",
        choices=[(news.value, in_words(news)) for news in TO_SUBSCRIBE],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one."},
    )


class NewForm(SubscriberForm):
    """The same, and who it is."""

    name = forms.SlugField(max_length=50, help_text="Letters, digits, - and _; it never changes")
    carrier_id = forms.CharField(
        label="Carrier",
        max_length=_LONGEST_CARRIER_ID,
        required=False,
        help_text="Empty: told of all settlements. A carrier's id: only of those whose freight token carries it; "
        "it never changes",
    )
    field_order = ("name", "url", "carrier_id", "event_types")


class ChangeForm(SubscriberForm):
    """The same, and whether it is told at all."""

    active = forms.BooleanField(
        required=False, help_text="While inactive nothing new is written for it, and what waits is not sent"
    )


class RotateForm(forms.Form):
    """How long the secrets of today stay good beside the new one."""

    overlap_hours = forms.IntegerField(
        label="Overlap in hours",
        min_value=0,
        max_value=_HOURS,
        initial=int(subscribers.OVERLAP.total_seconds()) // 3600,
        help_text="So long each message is signed by the old secrets too. 0 ends them at once",
    )


class ConfirmForm(forms.Form):
    """Nothing to fill in: the POST is the confirmation."""

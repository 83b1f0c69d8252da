"""What an officer fills in: the reason, bound to the version that was on the screen."""

from typing import Any

from django import forms
from django.contrib.auth.models import User

from compliance import assignments

LONGEST_REASON = 2_000


class ReasonForm(forms.Form):
    """Why a hold is placed or lifted."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60, "autofocus": True}),
        help_text="Kept in the audit trail with your name.",
        error_messages={"required": "Write down the reason: it is kept in the audit trail."},
    )


class DecisionForm(ReasonForm):
    """Why a settlement is approved or rejected, and which version of it."""

    version = forms.CharField(
        max_length=100,
        widget=forms.HiddenInput,
        error_messages={"required": "The form has lost what it is about; open the settlement again."},
    )


class AssignmentForm(ReasonForm):
    """Who is to work on a settlement, and why they."""

    assignee = forms.ModelChoiceField(
        queryset=User.objects.none(),
        to_field_name="username",
        empty_label="Choose an officer",
        error_messages={
            "required": "Choose who is to work on it.",
            "invalid_choice": "Nobody of this name decides about settlements.",
        },
    )
    field_order = ("assignee", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = assignments.officers()  # type: ignore[attr-defined]

"""What an officer fills in: the reason, bound to the version that was on the screen."""

from typing import Any

from django import forms
from django.contrib.auth.models import User

from compliance import assignments, evidence
from compliance.evidence_types import ENDINGS

LONGEST_REASON = 2_000


class ReasonForm(forms.Form):
    """Why a hold is placed or lifted."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        help_text="Kept in the audit trail with your name.",
        error_messages={"required": "Write down the reason: it is kept in the audit trail."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Whoever opens the dialog goes on typing, or choosing, where it begins.
        self.visible_fields()[0].field.widget.attrs["autofocus"] = True


class DecisionForm(ReasonForm):
    """Why a settlement is approved or rejected, and which version of it."""

    version = forms.CharField(
        max_length=100,
        widget=forms.HiddenInput,
        error_messages={"required": "The form has lost what it is about; open the settlement again."},
    )


class ExtendForm(ReasonForm):
    """Until when a delayed settlement is to wait, and why."""

    until = forms.DateTimeField(
        label="Wait until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Filled in is the date set now; it is only ever moved to a later one, by 90 days at most.",
        error_messages={
            "required": "Choose until when it is to wait.",
            "invalid": "Write the date and time as 2026-01-31 16:00, in UTC.",
        },
    )
    field_order = ("until", "reason")


class NoteForm(ReasonForm):
    """What colleagues should know."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = "Note"
        self.fields["reason"].error_messages["required"] = "Write the note: it is kept in the audit trail."


class EvidenceForm(ReasonForm):
    """A file, and what it shows."""

    file = forms.FileField(
        max_length=1_000,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ",".join(f".{ending}" for ending in ENDINGS)}),
        error_messages={"required": "Choose a file.", "max_length": "The name of the file is too long."},
    )
    field_order = ("file", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = f"{evidence.largest():,} bytes"
        self.fields["file"].help_text = f"PDF, PNG, JPEG, plain text or CSV, of at most {most}."
        self.fields["reason"].label = "What it shows"
        self.fields["reason"].error_messages["required"] = "Write down what the file shows."


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

"""What an officer fills in: the reason, bound to the version that was on the screen."""

from django import forms

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

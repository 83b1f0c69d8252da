"""Who is paid in a demo, and where; every step looks first whether it was taken."""

from django.contrib.auth.models import User
from django.utils import timezone

from rails import choosing, destinations
from rails.choosing import Payments
from rails.models import MethodRule, Recipient

ACTOR = "demo-data"

RECIPIENTS = {
    "acme-haulage": "Acme Haulage Inc.",
    "bozza-trucking": "Bozza Trucking LLC",
    "rijnmond-transport": "Rijnmond Transport B.V.",
    "sakura-logistics": "Sakura Logistics K.K.",
    "summit-factoring": "Summit Factoring Corp.",
}
# The routing number is the Federal Reserve's own in Boston: nobody has an account of these numbers there.
_US_ACCOUNT = {
    "routing_number": "011000015",
    "account_number": "1000200030",
    "account_type": "checking",
    "holder_name": "ACME HAULAGE INC",
    "sec_code": "CCD",
}
DESTINATIONS: dict[str, dict[str, dict[str, str]]] = {
    "acme-haulage": {"ach": _US_ACCOUNT, "stripe": {"account": "acct_1DemoAcmeHaulage"}},
    "bozza-trucking": {"ach": {**_US_ACCOUNT, "account_number": "44556677", "holder_name": "BOZZA TRUCKING LLC"}},
    "rijnmond-transport": {
        "wire": {
            "iban": "NL91ABNA0417164300",
            "bic": "ABNANL2A",
            "creditor_name": "Rijnmond Transport B.V.",
            "street": "Waalhaven",
            "building_number": "12",
            "town": "Rotterdam",
            "country": "NL",
        }
    },
    "sakura-logistics": {
        "wire": {
            "bic": "BOTKJPJT",
            "account_number": "0011223",
            "creditor_name": "Sakura Logistics K.K.",
            "town": "Yokohama",
            "country": "JP",
        }
    },
    "summit-factoring": {"stripe": {"account": "acct_1DemoSummitFactor"}},
}
MOVED = "bozza-trucking"


def push() -> None:
    """Who is paid, and where: their first destinations, which are in use at once."""
    for recipient_id, name in RECIPIENTS.items():
        if not Recipient.objects.filter(recipient_id=recipient_id).exists():
            given = DESTINATIONS[recipient_id]
            wanted = {rail: destinations.read(rail, details) for rail, details in given.items()}
            destinations.push(recipient_id, name, wanted, actor=ACTOR, now=timezone.now())


def propose_change() -> None:
    """A carrier's mail says that it has a new bank: somebody has written it down, and nobody has confirmed it yet."""
    recipient = Recipient.objects.get(recipient_id=MOVED)
    if not recipient.destinations.filter(state="PROPOSED").exists():
        user = User.objects.get(username="ops1")
        account = {**DESTINATIONS[MOVED]["ach"], "account_number": "55667788", "account_type": "savings"}
        destinations.propose(
            recipient.pk,
            [destinations.read("ach", account)],
            actor=f"user:{user.username}",
            user=user,
            reason="Their mail of this morning: new account since the first of the month",
            now=timezone.now(),
        )


def make_rule() -> None:
    """A row of the table of default payment methods."""
    if not MethodRule.objects.exists():
        reason = "No bank of ours pays yen yet: booked until one does"
        choosing.add(Payments(currency="JPY"), "internal_ledger", reason=reason, actor=ACTOR, now=timezone.now())

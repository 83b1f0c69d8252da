"""How the review screens write scores and ages, and which demo logins the login page names."""

from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.conf import settings

from compliance.demo_logins import DEMO_LOGINS, DEMO_PASSWORD
from rails import destinations, wording
from rails.money import Money
from rails.wording import in_words
from settlements.models import Approval
from settlements.policy import score_text
from settlements.statuses import LIVE_TOKEN_STATUSES, Channel

register = template.Library()

# Where money goes, its number masked.
register.filter("destination", destinations.in_words)
# Who acted: `olga` for `user:olga`, `tms (service)` for a program.
register.filter("actor", wording.actor)

_CHANNEL_WORDS = {
    Channel.ITEM: "item page",
    Channel.BULK: "many at once",
    Channel.API: "API",
    Channel.SETTLE: "settle request",
    Channel.UNKNOWN: "not recorded",
}
_DECIDED = {Approval.APPROVE: "approved", Approval.REJECT: "rejected"}


@register.filter
def score(value: Decimal | None) -> str:
    """A risk score as plain digits."""
    return "unknown" if value is None else score_text(value)


@register.filter
def money(amount: Money) -> str:
    """An amount with its thousands apart: `38,400.00 USD`."""
    return f"{amount.major:,} {amount.currency}"


@register.filter
def plain(amount: Money) -> str:
    """An amount without its currency, for a column that has one: `38,400.00`; nothing for none."""
    return f"{amount.major:,}" if amount.minor else "–"


@register.filter
def signed(amount: Money) -> str:
    """An amount without its currency, with a minus where it is negative: `−38,400.00`."""
    return f"{amount.major:,}".replace("-", "−")


@register.filter
def balance(amount: Money) -> str:
    """A balance with its side: `38,400.00 Dr` was debited more than it was credited, `38,400.00 Cr` less."""
    if not amount.minor:
        return "–"
    return f"{abs(amount.major):,} {'Dr' if amount.minor > 0 else 'Cr'}"


@register.filter
def thousands(number: int) -> str:
    """A count with its thousands apart: `12,345`."""
    return f"{number:,}"


@register.filter
def age(since: datetime, now: datetime) -> str:
    """How long something has waited, in its largest unit and the next: `3 d 4 h`, `12 min`."""
    minutes = max((now - since) // timedelta(minutes=1), 0)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


@register.filter
def lasted(took: timedelta) -> str:
    """How long something took, for reading: `3.2 s`, `4 min 7 s`, `2 h 5 min`."""
    tenths = took // timedelta(milliseconds=100)
    if tenths < 600:
        return f"{tenths // 10}.{tenths % 10} s"
    minutes, seconds = divmod(tenths // 10, 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@register.filter
def words(code: str) -> str:
    """A stored word for reading: `POD_CONFIRMED` becomes `POD confirmed`."""
    return in_words(code)


@register.filter
def decided(decision: str) -> str:
    """What somebody has done by a decision."""
    return _DECIDED[decision]


@register.filter
def channel_words(channel: Channel) -> str:
    """How a decision came, in words."""
    return _CHANNEL_WORDS[channel]


@register.filter
def lets_money_go(status: str) -> bool:
    """Whether money may go by itself on a freight token of this status."""
    return status in LIVE_TOKEN_STATUSES


@register.inclusion_tag("admin/demo_logins.html")
def demo_logins() -> dict[str, object]:
    """The demo logins, in demo mode only."""
    return {"logins": DEMO_LOGINS if settings.CHAINPAY_DEMO else [], "password": DEMO_PASSWORD}

"""A new key takes over everything that is sealed, while others work, and whatever kills it; then the old one can go."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction
from django.utils import timezone

from chainpay.access import resealing as second_factors
from chainpay.access.management.commands import rotate_keys
from rails import destinations, recipients, resealing, sealing
from rails.destinations.resealing import Destinations
from rails.models import Destination
from settlements import sources, subscribers
from settlements.models import SourceSecret, SubscriberSecret
from tests.rails.killed import killed_before_line
from tests.rails.test_ledger import at_once
from tests.rails.test_routing import ACH, WIRE

STRIPE = {"account": "acct_1032D82eZvKYlo2C"}
ROOT = Path(__file__).resolve().parents[2]


def sealed_things() -> dict[str, Any]:
    """One of each: destinations of every rail, a source's and a subscriber's secret."""
    now = timezone.now()
    recipient, _ = recipients.put("R-1", "Acme", actor="test", now=now)
    wanted = [destinations.read(rail, given) for rail, given in (("ach", ACH), ("wire", WIRE), ("stripe", STRIPE))]
    destinations.propose(recipient.pk, wanted, actor="test", now=now)
    source, _ = sources.create("acme", carrier_id="acme", actor="test", now=now)
    subscriber, _ = subscribers.create("tms", "https://tms.example.com/hook", actor="test", now=now)
    return {"recipient": recipient, "source": source.name, "subscriber": subscriber.pk}


def open_all(things: dict[str, Any]) -> dict[str, Any]:
    """What the sealed texts say; raises CannotUnseal for one that can not be read."""
    rows = destinations.of_recipient(things["recipient"].pk)
    return {
        **{row.rail: destinations.account_number(row) for row in rows},
        "found": sorted(
            row.rail
            for number in (ACH["account_number"], WIRE["iban"], STRIPE["account"])
            for row in destinations.by_account_number(number)
        ),
        "source": sources.secret_for_sending(things["source"], now=timezone.now()),
        "subscriber": subscribers.signing_keys(things["subscriber"], now=timezone.now()),
    }


def rotate() -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


@pytest.fixture
def new_key(settings: Any) -> None:
    """A new key in front of the one that everything is sealed under; `only_new` takes the old one out."""
    settings.CHAINPAY_ENCRYPTION_KEYS = {"newest": bytes(range(32)), **settings.CHAINPAY_ENCRYPTION_KEYS}


def only_new(settings: Any) -> None:
    settings.CHAINPAY_ENCRYPTION_KEYS = {"newest": bytes(range(32))}
    sources.forget()


@pytest.mark.django_db
def test_everything_is_under_the_new_key_and_the_old_one_can_go(settings: Any, request: Any) -> None:
    things = sealed_things()
    before = open_all(things)
    request.getfixturevalue("new_key")
    said = rotate()
    assert "destinations: 3 sealed anew" in said
    assert "secrets of event sources: 1 sealed anew" in said
    assert "Nothing is left under a key other than newest." in said
    only_new(settings)
    assert open_all(things) == before
    assert before["found"] == ["ach", "stripe", "wire"]


@pytest.mark.django_db
def test_run_again_it_does_nothing(request: Any) -> None:
    sealed_things()
    request.getfixturevalue("new_key")
    rotate()
    stored = [list(model.objects.values()) for model in (Destination, SourceSecret, SubscriberSecret)]
    assert "destinations: 0 sealed anew" in rotate()
    assert [list(model.objects.values()) for model in (Destination, SourceSecret, SubscriberSecret)] == stored


def test_second_factors_work_on_under_the_new_key(enrolled: Any, settings: Any, new_key: None) -> None:
    assert "second factors: 2 sealed anew" in rotate()
    only_new(settings)
    enrolled.password()
    enrolled.type_code()
    assert enrolled.is_inside


def test_a_recovery_code_used_meanwhile_is_not_given_back(enrolled: Any, new_key: None) -> None:
    place = second_factors.SecondFactors()
    rows = place.waiting(after=0, most=10)
    codes = Authenticator.objects.get(type="recovery_codes")
    codes.data["used_mask"] = 1
    codes.save()
    assert place.write([(row, place.renewed(row)) for row in rows]) == 1
    assert Authenticator.objects.get(type="recovery_codes").data["used_mask"] == 1
    assert resealing.anything_left(place)
    rotate()
    assert not resealing.anything_left(place)


@pytest.mark.django_db
def test_what_can_not_be_read_is_told_and_the_rest_is_done(
    settings: Any, caplog: pytest.LogCaptureFixture, request: Any
) -> None:
    things = sealed_things()
    request.getfixturevalue("new_key")
    lost = {"gone": bytes([7] * 32)}
    settings.CHAINPAY_ENCRYPTION_KEYS = {**settings.CHAINPAY_ENCRYPTION_KEYS, **lost}
    row = SourceSecret.objects.get()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.CHAINPAY_ENCRYPTION_KEYS, "newest", lost["gone"])
        text = sealing.seal("whsec_x", belongs_to=f"source_secret:{row.pk}").replace("newest:", "gone:")
    SourceSecret.objects.filter(pk=row.pk).update(sealed=text)
    del settings.CHAINPAY_ENCRYPTION_KEYS["gone"]
    with pytest.raises(CommandError, match="Under older keys still: secrets of event sources"):
        rotate()
    assert "sealed under key 'gone'" in caplog.text
    settings.CHAINPAY_ENCRYPTION_KEYS = {"newest": bytes(range(32))}
    assert {row.rail for row in destinations.of_recipient(things["recipient"].pk)} == {"ach", "stripe", "wire"}
    assert destinations.account_number(Destination.objects.get(rail="ach")) == ACH["account_number"]


@pytest.mark.django_db
def test_a_batch_that_others_did_meanwhile_is_not_done_twice(request: Any) -> None:
    sealed_things()
    request.getfixturevalue("new_key")
    place = Destinations()
    pairs = [(row, place.renewed(row)) for row in place.waiting(after=0, most=10)]
    assert place.write(pairs) == 3
    assert place.write([(old, place.renewed(old)) for old, _ in pairs]) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("model", [SourceSecret, SubscriberSecret])
def test_the_database_lets_a_secret_be_sealed_anew_only_under_another_key(model: Any) -> None:
    sealed_things()
    row = model.objects.get()
    with pytest.raises(DatabaseError), transaction.atomic():
        model.objects.filter(pk=row.pk).update(sealed=row.sealed + "AA")
    assert model.objects.filter(pk=row.pk).update(sealed="another:AAAA") == 1


@pytest.mark.django_db(transaction=True)
def test_killed_anywhere_it_is_run_again(settings: Any, request: Any) -> None:
    things = sealed_things()
    before = open_all(things)
    request.getfixturevalue("new_key")
    connections.close_all()

    def act() -> None:
        for place in rotate_keys.PLACES:
            resealing.rotate(place, batch=1)

    number = 1
    while killed_before_line(number, [resealing], act):
        number += 7
        assert open_all(things) == before
    assert number > 7
    rotate()
    only_new(settings)
    assert open_all(things) == before


@pytest.mark.django_db(transaction=True)
def test_several_at_once_do_each_row_once(settings: Any, request: Any) -> None:
    things = sealed_things()
    before = open_all(things)
    request.getfixturevalue("new_key")
    done = at_once([lambda: resealing.rotate(Destinations(), batch=1)] * 4)
    assert sum(each.renewed for each in done) == 3
    rotate()
    only_new(settings)
    assert open_all(things) == before


def test_whoever_seals_is_known_to_the_command() -> None:
    sealers = {
        str(file.relative_to(ROOT))
        for app in ("chainpay", "compliance", "settlements", "rails")
        for file in (ROOT / app).rglob("*.py")
        if re.search(r"sealing\.seal\(", file.read_text())
    }
    assert sealers == {
        "chainpay/access/adapters.py",
        "rails/destinations/proposals.py",
        "rails/destinations/resealing.py",
        "settlements/sources.py",
        "settlements/subscribers.py",
    }, "let rotate_keys renew it too"
    assert len(rotate_keys.PLACES) == 4

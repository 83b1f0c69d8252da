"""Where a recipient is paid: who changed it, who agreed, and from when on it is used."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from rails import destinations, ledger, recipients, sealing
from rails.accounts import AccountCode, AccountKey
from rails.destinations import AnotherPersonConfirms, DestinationGone
from rails.models import Destination, Recipient, RecipientEdit
from tests.rails.rail_contract import NOW
from tests.rails.test_ledger import at_once, release
from tests.rails.test_routing import ACH, FEDWIRE, WIRE

pytestmark = pytest.mark.django_db

OTHER = {**ACH, "account_number": "99887766554433"}
STRIPE = {"account": "acct_1032D82eZvKYlo2C"}


@pytest.fixture
def recipient() -> Recipient:
    recipient, _ = recipients.put("CARRIER-1", "Bozza Haulage", actor="demo", now=NOW)
    return recipient


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", is_staff=True)


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", is_staff=True)


@pytest.fixture
def no_quarantine(settings: Any) -> None:
    settings.CHAINPAY_DESTINATION_HOLD_HOURS = 0


def propose(recipient: Recipient, rail: str, given: dict[str, Any], **others: Any) -> list[Destination]:
    wanted = [destinations.read(rail, given)]
    return destinations.propose(recipient.pk, wanted, **{"actor": "service:tms", "now": NOW, **others})


def confirm(destination: Destination, user: User) -> Destination:
    return destinations.confirm(destination.pk, user=user, actor=f"user:{user.username}", now=NOW)


def obstacle(recipient: Recipient, rail: str = "ach") -> str:
    return destinations.obstacle(recipient.pk, rail)


class TestTheFirst:
    def test_it_is_usable_at_once(self, recipient: Recipient, ann: User) -> None:
        (first,) = propose(recipient, "ach", ACH, user=ann, actor="user:ann")
        assert first.state == "ACTIVE"
        assert obstacle(recipient) == ""
        assert destinations.usable(recipient.pk, "ach") == first
        assert destinations.account_number(first) == ACH["account_number"]

    def test_the_first_for_several_rails_come_in_one_edit(self, recipient: Recipient) -> None:
        wanted = [destinations.read(rail, given) for rail, given in (("stripe", STRIPE), ("ach", ACH), ("wire", WIRE))]
        made = destinations.propose(recipient.pk, wanted, actor="service:tms", now=NOW)
        assert [(row.rail, row.state) for row in made] == [("stripe", "ACTIVE"), ("ach", "ACTIVE"), ("wire", "ACTIVE")]
        recipient.refresh_from_db()
        assert recipient.revision == 2
        assert RecipientEdit.objects.get(revision=2).changes == {
            "destinations.stripe": [None, "acct_1032D82eZvKYlo2C"],
            "destinations.ach": [None, "checking account ••4567 at 021000021, BOZZA HAULAGE LLC, CCD"],
            "destinations.wire": [None, "IBAN ••3000 at COBADEFFXXX, Bozza Spedition GmbH, Hamburg DE"],
        }

    def test_a_further_rail_later_waits_for_another_person(self, recipient: Recipient) -> None:
        propose(recipient, "stripe", STRIPE)
        (further,) = propose(recipient, "ach", ACH)
        assert further.state == "PROPOSED"
        assert obstacle(recipient, "stripe") == ""
        assert obstacle(recipient) == "destination for ach awaits confirmation by another person"

    def test_of_a_recipient_that_was_paid_it_is_a_change(self, recipient: Recipient) -> None:
        with transaction.atomic():
            ledger.post([release(1, credit=AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD", recipient.pk))], now=NOW)
        (first,) = propose(recipient, "ach", ACH)
        assert first.state == "PROPOSED"

    def test_closing_does_not_make_the_next_one_the_first(self, recipient: Recipient) -> None:
        propose(recipient, "ach", ACH)
        destinations.close(recipient.pk, "ach", reason="account closed", actor="service:tms", now=NOW)
        assert obstacle(recipient) == "recipient has no destination for ach"
        (again,) = propose(recipient, "ach", ACH)
        assert again.state == "PROPOSED"


class TestAChange:
    def test_it_waits_for_another_person_and_for_its_quarantine(
        self, recipient: Recipient, ann: User, ben: User
    ) -> None:
        propose(recipient, "ach", ACH)
        (change,) = propose(recipient, "ach", OTHER, user=ann, actor="user:ann")
        assert change.usable_from - change.proposed_at == timedelta(hours=72)
        assert destinations.usable(recipient.pk, "ach") is None
        with pytest.raises(AnotherPersonConfirms):
            confirm(change, ann)
        confirmed = confirm(change, ben)
        assert (confirmed.state, confirmed.confirmed_by, confirmed.confirmed_by_actor) == ("ACTIVE", ben, "user:ben")
        assert confirmed.usable_from == change.usable_from
        until = f"{change.usable_from:%Y-%m-%d %H:%M} UTC"
        assert obstacle(recipient) == f"destination for ach is quarantined until {until}"
        assert destinations.usable(recipient.pk, "ach") is None

    @pytest.mark.usefixtures("no_quarantine")
    def test_once_both_are_over_it_is_paid_to(self, recipient: Recipient, ben: User) -> None:
        (first,) = propose(recipient, "ach", ACH)
        (change,) = propose(recipient, "ach", OTHER)
        confirm(change, ben)
        usable = destinations.usable(recipient.pk, "ach")
        assert usable == change
        assert usable is not None
        assert destinations.account_number(usable) == OTHER["account_number"]
        assert destinations.get(first.pk).state == "SUPERSEDED"

    def test_a_refused_one_leaves_the_old_one_in_force(self, recipient: Recipient, ben: User) -> None:
        (first,) = propose(recipient, "ach", ACH)
        (change,) = propose(recipient, "ach", OTHER)
        rejected = destinations.reject(
            change.pk, reason="the carrier knows nothing of it", user=ben, actor="user:ben", now=NOW
        )
        assert (rejected.state, rejected.ended_by, rejected.ended_reason) == (
            "REJECTED",
            ben,
            "the carrier knows nothing of it",
        )
        assert destinations.usable(recipient.pk, "ach") == first

    def test_another_proposal_takes_its_place_and_begins_its_quarantine_anew(self, recipient: Recipient) -> None:
        propose(recipient, "ach", ACH)
        (one,) = propose(recipient, "ach", OTHER)
        (two,) = propose(recipient, "ach", {**OTHER, "account_number": "5544332211"})
        assert destinations.get(one.pk).state == "SUPERSEDED"
        assert two.usable_from > one.usable_from

    @pytest.mark.parametrize("given", [ACH, OTHER], ids=["in force", "proposed"])
    def test_a_repetition_writes_nothing(self, recipient: Recipient, given: dict[str, Any]) -> None:
        propose(recipient, "ach", ACH)
        propose(recipient, "ach", OTHER)
        edits = RecipientEdit.objects.count()
        assert propose(recipient, "ach", given) == []
        assert (RecipientEdit.objects.count(), Destination.objects.count()) == (edits, 2)

    def test_every_step_is_a_revision_with_its_person_and_reason(
        self, recipient: Recipient, ann: User, ben: User
    ) -> None:
        propose(recipient, "ach", ACH)
        (change,) = propose(recipient, "ach", OTHER, user=ann, actor="user:ann", reason="new bank")
        destinations.confirm(change.pk, user=ben, actor="user:ben", reason="called them", now=NOW)
        old, new = (destinations.in_words(destinations.read("ach", each)) for each in (ACH, OTHER))
        edits = RecipientEdit.objects.order_by("revision")[2:]
        assert [(edit.edited_by, edit.reason, edit.changes) for edit in edits] == [
            (ann, "new bank", {"destinations.ach.proposed": [old, new]}),
            (ben, "called them", {"destinations.ach": [old, new]}),
        ]

    def test_what_was_decided_is_not_decided_again(self, recipient: Recipient, ann: User, ben: User) -> None:
        propose(recipient, "ach", ACH)
        (change,) = propose(recipient, "ach", OTHER)
        confirm(change, ben)
        with pytest.raises(DestinationGone):
            confirm(change, ann)
        with pytest.raises(DestinationGone):
            destinations.reject(change.pk, reason="too late", actor="user:ann", now=NOW)
        with pytest.raises(DestinationGone):
            destinations.confirm(10**9, user=ann, actor="user:ann", now=NOW)

    def test_closing_ends_the_proposal_too(self, recipient: Recipient) -> None:
        propose(recipient, "ach", ACH)
        propose(recipient, "ach", OTHER)
        assert len(destinations.close(recipient.pk, "ach", reason="gone", actor="service:tms", now=NOW)) == 2
        assert destinations.of_recipient(recipient.pk) == []
        assert destinations.close(recipient.pk, "ach", reason="gone", actor="service:tms", now=NOW) == []


class TestANotificationOfChange:
    def test_it_blocks_until_a_person_decides(self, recipient: Recipient, ben: User) -> None:
        (first,) = propose(recipient, "ach", ACH)
        (change,) = propose(recipient, "ach", OTHER, notice="C01", actor="bank:ach")
        assert obstacle(recipient) == "a notification of change (C01) awaits a decision"
        destinations.reject(change.pk, reason="asked the bank", user=ben, actor="user:ben", now=NOW)
        assert destinations.usable(recipient.pk, "ach") == first

    def test_another_proposal_does_not_make_it_forgotten(self, recipient: Recipient) -> None:
        propose(recipient, "ach", ACH)
        propose(recipient, "ach", OTHER, notice="C01", actor="bank:ach")
        propose(recipient, "ach", {**OTHER, "account_number": "5544332211"})
        assert obstacle(recipient) == "a notification of change (C01) awaits a decision"

    def test_one_that_proposes_nothing_blocks_what_is_in_force(self, recipient: Recipient, ben: User) -> None:
        (first,) = propose(recipient, "ach", ACH)
        destinations.block(first.pk, notice="C04", actor="bank:ach", now=NOW)
        destinations.block(first.pk, notice="C04", actor="bank:ach", now=NOW)
        assert obstacle(recipient) == "a notification of change (C04) awaits a decision"
        recipient.refresh_from_db()
        assert recipient.revision == 3
        destinations.unblock(first.pk, reason="the name is right", user=ben, actor="user:ben", now=NOW)
        assert obstacle(recipient) == ""


class TestWhatIsKeptSecret:
    def test_numbers_are_found_and_never_stored(self, recipient: Recipient, ann: User) -> None:
        (bank,) = propose(recipient, "ach", ACH, user=ann)
        (wire,) = propose(recipient, "wire", WIRE, user=ann)
        (stripe,) = propose(recipient, "stripe", STRIPE, user=ann)
        stored = json.dumps([list(Destination.objects.values()), list(RecipientEdit.objects.values())], default=str)
        assert ACH["account_number"] not in stored
        assert WIRE["iban"] not in stored
        assert list(destinations.by_account_number("12345678901234567")) == [bank]
        assert list(destinations.by_account_number("de89 3704 0044 0532 0130 00")) == [wire]
        assert list(destinations.by_account_number("acct_1032D82eZvKYlo2C")) == [stripe]
        assert destinations.account_number(stripe) == STRIPE["account"]
        assert not destinations.by_account_number("4567").exists()
        assert not destinations.by_account_number("").exists()

    def test_a_number_is_bound_to_its_row(self, recipient: Recipient) -> None:
        (bank,) = propose(recipient, "ach", ACH)
        (other,) = propose(recipient, "wire", FEDWIRE)
        bank.sealed = other.sealed
        with pytest.raises(sealing.CannotUnseal):
            destinations.account_number(bank)

    def test_it_is_found_and_known_again_after_a_new_key(self, recipient: Recipient, settings: Any) -> None:
        (bank,) = propose(recipient, "ach", ACH)
        settings.CHAINPAY_ENCRYPTION_KEYS = {"newest": bytes(32), **settings.CHAINPAY_ENCRYPTION_KEYS}
        assert list(destinations.by_account_number(ACH["account_number"])) == [bank]
        assert propose(recipient, "ach", ACH) == []


class TestTheDatabaseRefuses:
    @pytest.fixture
    def change(self, recipient: Recipient, ann: User) -> Destination:
        propose(recipient, "ach", ACH)
        return propose(recipient, "ach", OTHER, user=ann, actor="user:ann")[0]

    @pytest.mark.parametrize(
        "assignment",
        [
            "state = 'ACTIVE'",
            "state = 'ACTIVE', confirmed_by_id = proposed_by_id, confirmed_by_actor = 'x', confirmed_at = now()",
            "usable_from = now()",
            "proposed_at = proposed_at - interval '3 days'",
            "proposed_by_id = NULL",
            "proposed_by_actor = 'another'",
            'details = details || \'{"routing_number": "011401533"}\'',
            "rail = 'wire'",
            "revision = revision + 1",
            "notice = 'C01'",
            "state = 'REJECTED'",
            "state = 'REJECTED', ended_at = now()",
            "sealed = sealed || 'AA'",
            "fingerprint = fingerprint || 'aa'",
            "sealed = 'new:AAAA'",
            "fingerprint = 'new:aaaa'",
            "sealed = ''",
            "blocked = 'C04'",
            "ended_by_actor = 'x'",
            "confirmed_at = now()",
            "state = 'PAID'",
        ],
    )
    def test_a_proposal_changed_by_hand(self, change: Destination, assignment: str) -> None:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE rails_destination SET {assignment} WHERE id = %s", [change.pk])

    def test_a_second_one_in_force(self, change: Destination, ben: User) -> None:
        with pytest.raises(DatabaseError, match="one_destination_in_force"), transaction.atomic():
            Destination.objects.filter(pk=change.pk).update(
                state="ACTIVE", confirmed_by=ben, confirmed_by_actor="user:ben", confirmed_at=NOW
            )

    def test_a_way_back(self, change: Destination, ben: User) -> None:
        destinations.reject(change.pk, reason="no", actor="user:ben", now=NOW)
        with pytest.raises(DatabaseError), transaction.atomic():
            Destination.objects.filter(pk=change.pk).update(
                state="PROPOSED", ended_at=None, ended_by_actor="", ended_reason=""
            )

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("state", "ACTIVE"),
            ("state", "SUPERSEDED"),
            ("revision", 1),
            ("revision", 9),
            ("usable_from", NOW),
            ("fingerprint", ""),
            ("sealed", ""),
            ("rail", "internal_ledger"),
            ("proposed_by_actor", ""),
            ("blocked", "C04"),
        ],
    )
    def test_one_inserted_by_hand(self, change: Destination, ben: User, field: str, value: Any) -> None:
        destinations.reject(change.pk, reason="no", actor="user:ben", now=NOW)
        row: dict[str, Any] = dict(Destination.objects.filter(pk=change.pk).values().get())
        row |= {"id": None, "state": "PROPOSED", "ended_at": None, "ended_by_actor": "", "ended_reason": ""}
        row["revision"] = Recipient.objects.get().revision
        with transaction.atomic():
            Destination.objects.create(**row)
            transaction.set_rollback(True)
        with pytest.raises(DatabaseError), transaction.atomic():
            Destination.objects.create(**{**row, field: value})

    def test_rows_that_go(self, change: Destination) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            Destination.objects.filter(pk=change.pk)._raw_delete("default")
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE rails_destination")

    def test_but_not_another_key(self, change: Destination) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE rails_destination SET sealed = 'new:AAAA', fingerprint = 'new:aaaa' WHERE id = %s", [change.pk]
            )


@pytest.mark.parametrize("rail", ["internal_ledger", "INTERNAL_LEDGER"])
def test_other_rails_meet_no_obstacle(recipient: Recipient, rail: str) -> None:
    assert destinations.obstacle(recipient.pk, rail) == ""
    assert destinations.obstacle(None, rail) == ""


def test_a_payment_to_nobody_has_no_destination() -> None:
    assert destinations.obstacle(None, "ach") == "a payment by ach needs a recipient"


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_many_first_ones_are_one_in_force(self, recipient: Recipient) -> None:
        given = [{**ACH, "account_number": str(number)} for number in range(1, 6)]
        at_once([partial(propose, recipient, "ach", each) for each in given])
        assert Destination.objects.filter(state="ACTIVE").count() == 1
        assert Destination.objects.filter(state="PROPOSED").count() == 1
        assert Destination.objects.filter(state="SUPERSEDED").count() == 3

    def test_many_who_confirm_are_one(self, recipient: Recipient) -> None:
        people = [User.objects.create_user(f"person{number}") for number in range(4)]
        propose(recipient, "ach", ACH)
        (change,) = propose(recipient, "ach", OTHER)

        def attempt(user: User) -> bool:
            try:
                confirm(change, user)
            except DestinationGone:
                return False
            return True

        assert sorted(at_once([partial(attempt, person) for person in people])) == [False, False, False, True]

"""The reconciliation page: what does not fit is seen by all who may read, resolved by few, once, and never silently."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from compliance import counters
from compliance.roles import Role
from settlements.models import BooksDifference, Comparison, DifferenceResolution, MilestoneSettlement, OfficeEvent
from settlements.objections import NotStaff
from settlements.reconciliation import comparing, resolving
from tests.compliance.conftest import Staff, logged_in
from tests.factories import now, officer
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider
from tests.flows.resolving import paid
from tests.settlements.conftest import Sql

pytestmark = pytest.mark.django_db
LIST = "/admin/compliance/reviewqueue/reconciliation/"
REASON = "The bank took a fee of five dollars; see its letter."


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def approved(provider: PretendProvider) -> MilestoneSettlement:
    return paid(provider, a_payable_recipient(), amount=Decimal("1000"))


@pytest.fixture
def difference(approved: MilestoneSettlement, behind_the_guards: Sql) -> BooksDifference:
    raised(approved, behind_the_guards, 500)
    return BooksDifference.objects.get()


@pytest.fixture
def clerk(staff: Staff) -> User:
    return staff(Role.FINANCE, "fiona")


@pytest.fixture
def finance(clerk: User) -> Client:
    return logged_in(clerk)


def raised(settlement: MilestoneSettlement, behind_the_guards: Sql, minor: int) -> None:
    """Somebody changed the amount by the database's prompt, and it is compared again."""
    behind_the_guards(
        "UPDATE settlements_milestonesettlement SET amount_minor = %s WHERE id = %s",
        settlement.amount_minor + minor,
        settlement.pk,
    )
    comparing.compare(actor="test", now=now())


def page(client: Client, query: str = "", status: int = 200) -> str:
    answer = client.get(f"{LIST}{query}")
    assert answer.status_code == status
    return str(answer.content.decode())


def resolve(client: Client, difference: BooksDifference, reason: str = REASON) -> Any:
    return client.post(f"{LIST}{difference.pk}/", {"reason": reason})


def counted(user: User) -> int:
    return counters.counts(user, timezone.now()).differences


class TestTheList:
    def test_says_when_nothing_was_compared(self, finance: Client) -> None:
        assert "Nothing has been compared yet" in page(finance)

    def test_says_that_everything_fits(self, finance: Client, approved: MilestoneSettlement) -> None:
        comparing.compare(actor="test", now=now())
        text = page(finance)
        assert "Everything fits" in text
        assert "1 payments match" in text

    def test_tells_a_difference_with_its_four_sides_and_counts_it(
        self, finance: Client, clerk: User, approved: MilestoneSettlement, difference: BooksDifference
    ) -> None:
        text = page(finance)
        assert "5.00 USD too little" in text
        assert approved.reference in text
        assert "on its way" in text
        assert f"{LIST}{difference.pk}/" in text
        assert counted(clerk) == 1

    def test_folds_matched_payments_away_and_shows_them_when_asked(
        self, finance: Client, provider: PretendProvider, approved: MilestoneSettlement
    ) -> None:
        comparing.compare(actor="test", now=now())
        assert approved.reference not in page(finance)
        assert approved.reference in page(finance, "?view=matched")

    @pytest.mark.parametrize(
        ("query", "shown"),
        [
            ("?rail=stripe", True),
            ("?rail=ach", False),
            ("?currency=USD", True),
            ("?currency=EUR", False),
            ("?kind=AMOUNT", True),
            ("?kind=CLEARING", False),
            ("?q=nothing", False),
            ("?start=2001-01-01&end=2001-01-02", False),
            ("?start=2001-01-01", True),
        ],
    )
    def test_is_narrowed(self, finance: Client, difference: BooksDifference, query: str, shown: bool) -> None:
        assert (f"{LIST}{difference.pk}/" in page(finance, query)) is shown

    @pytest.mark.parametrize(
        "query",
        ["?rail=x", "?start=yesterday", "?start=2026-01-02&end=2026-01-01", "?currency=XXX", "?kind=X", "?q=%00",
         "?end=9999-12-31", "?end=0001-01-05", "?end=0001-01-05&view=matched", "?start=9999-12-31",
         "?start=1999-12-31"],
    )  # fmt: skip
    def test_says_which_filter_it_can_not_read(
        self, finance: Client, approved: MilestoneSettlement, query: str
    ) -> None:
        comparing.compare(actor="test", now=now())
        assert 'role="alert"' in page(finance, query, status=400)

    @pytest.mark.parametrize("query", ["?start=2000-01-01&end=9999-12-30", "?end=2000-01-01", "?start=9999-12-30"])
    def test_takes_the_first_and_the_last_day_there_is(
        self, finance: Client, approved: MilestoneSettlement, query: str
    ) -> None:
        comparing.compare(actor="test", now=now())
        page(finance, query)

    @pytest.mark.parametrize("query", ["?after=x", "?after=99999999999999999999", "?view=x", "?view=matched&after=1"])
    def test_takes_a_broken_address_for_the_first_page(
        self, finance: Client, difference: BooksDifference, query: str
    ) -> None:
        page(finance, query)

    def test_reads_with_a_handful_of_statements_however_much_there_is(
        self, finance: Client, provider: PretendProvider, behind_the_guards: Sql, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(4):
            paid(provider, a_payable_recipient(), amount=Decimal("1000"))
        behind_the_guards("DELETE FROM rails_posting")
        comparing.compare(actor="test", now=now())
        assert BooksDifference.objects.count() == 8
        page(finance)
        with django_assert_max_num_queries(16):
            page(finance)

    def test_compares_when_asked_and_names_who_asked(self, finance: Client, approved: MilestoneSettlement) -> None:
        assert finance.get(f"{LIST}compare/").status_code == 405
        assert not Comparison.objects.exists()
        answer = finance.post(f"{LIST}compare/", follow=True)
        assert "1 payments compared; 0 do not fit" in answer.content.decode()
        assert Comparison.objects.get().actor == "user:fiona"


class TestResolving:
    def test_takes_it_from_the_list_and_keeps_who_when_and_why(
        self, finance: Client, clerk: User, difference: BooksDifference
    ) -> None:
        answer = finance.post(f"{LIST}{difference.pk}/?rail=stripe", {"reason": REASON})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}?rail=stripe")
        assert f"{LIST}{difference.pk}/" not in page(finance)
        assert counted(clerk) == 0
        resolved = page(finance, "?view=resolved")
        assert REASON in resolved
        assert "fiona" in resolved

    def test_is_an_office_event_and_changes_no_money(self, finance: Client, difference: BooksDifference) -> None:
        before = MilestoneSettlement.objects.values().get()
        resolve(finance, difference)
        event = OfficeEvent.objects.get(action="difference_resolved")
        assert (event.actor, event.reason, event.subject) == ("user:fiona", REASON, f"difference {difference.pk}")
        assert event.data["found_minor"] - event.data["expected_minor"] == -500
        assert MilestoneSettlement.objects.values().get() == before

    @pytest.mark.parametrize("reason", ["", "   ", "x" * 2_001])
    def test_needs_a_reason_that_can_be_read(self, finance: Client, difference: BooksDifference, reason: str) -> None:
        assert resolve(finance, difference, reason).status_code == 400
        assert not DifferenceResolution.objects.exists()
        assert not OfficeEvent.objects.exists()

    def test_does_nothing_on_get(self, finance: Client, difference: BooksDifference) -> None:
        assert finance.get(f"{LIST}{difference.pk}/?reason=x").status_code == 200
        assert not DifferenceResolution.objects.exists()

    def test_twice_is_told_who_was_first(self, finance: Client, staff: Staff, difference: BooksDifference) -> None:
        resolve(finance, difference)
        answer = resolve(logged_in(staff(Role.FINANCE, "felix")), difference, "mine")
        assert answer.status_code == 409
        assert escape(f"fiona has resolved it: {REASON}") in answer.content.decode()
        assert "mine" in answer.content.decode()
        assert DifferenceResolution.objects.get().actor == "user:fiona"
        assert OfficeEvent.objects.count() == 1

    def test_another_amount_opens_it_again_and_tells_of_the_first_reason(
        self, finance: Client, approved: MilestoneSettlement, difference: BooksDifference, behind_the_guards: Sql
    ) -> None:
        resolve(finance, difference)
        comparing.compare(actor="test", now=now())
        assert "Everything fits" in page(finance)
        raised(approved, behind_the_guards, 900)
        text = page(finance)
        assert "9.00 USD too little" in text
        assert escape(REASON) in text
        assert REASON in page(finance, "?view=resolved")

    def test_what_is_gone_is_not_resolved_any_more(
        self, finance: Client, approved: MilestoneSettlement, difference: BooksDifference, behind_the_guards: Sql
    ) -> None:
        raised(approved, behind_the_guards, 0)
        answer = resolve(finance, difference)
        assert answer.status_code == 409
        assert "not there any more" in answer.content.decode()
        assert not DifferenceResolution.objects.exists()

    def test_of_nothing_is_not_found(self, finance: Client) -> None:
        assert finance.get(f"{LIST}7/").status_code == 404
        assert finance.post(f"{LIST}7/", {"reason": "x"}).status_code == 404

    def test_by_somebody_who_left_meanwhile_is_refused(self, clerk: User, difference: BooksDifference) -> None:
        User.objects.filter(pk=clerk.pk).update(is_active=False)
        with pytest.raises(NotStaff):
            resolving.resolve(difference.pk, officer=officer(clerk), reason=REASON, now=now())
        assert not DifferenceResolution.objects.exists()


class TestWhoMayWhat:
    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.FINANCE])
    def test_other_roles_read_and_resolve_nothing(self, staff: Staff, difference: BooksDifference, role: Role) -> None:
        client = logged_in(staff(role))
        text = page(client)
        assert "5.00 USD too little" in text
        assert f"{LIST}{difference.pk}/" not in text
        assert "Compare now" not in text
        assert client.get(f"{LIST}{difference.pk}/").status_code == 403
        assert resolve(client, difference).status_code == 403
        assert client.post(f"{LIST}compare/").status_code == 403
        assert not DifferenceResolution.objects.exists()

    def test_staff_without_a_role_read_nothing(self, staff: Staff, difference: BooksDifference) -> None:
        assert logged_in(staff(None)).get(LIST).status_code == 403

    def test_nobody_who_is_not_logged_in(self, difference: BooksDifference) -> None:
        assert Client().get(LIST).status_code == 302
        assert Client().post(f"{LIST}{difference.pk}/", {"reason": REASON}).status_code == 302
        assert not DifferenceResolution.objects.exists()

    def test_without_its_token_a_form_is_refused(self, clerk: User, difference: BooksDifference) -> None:
        client = logged_in(clerk, csrf=True)
        assert resolve(client, difference).status_code == 403
        assert client.post(f"{LIST}compare/").status_code == 403


class TestTheDatabaseRefuses:
    def values(self, difference: BooksDifference, clerk: User, **others: Any) -> dict[str, Any]:
        return {"difference": difference, "reason": "r", "resolved_by": clerk, "actor": "user:x", "resolved_at": now(),
                **others}  # fmt: skip

    @pytest.mark.parametrize(("column", "value"), [("reason", " "), ("actor", ""), ("resolved_by", None)])
    def test_a_resolution_without_reason_or_actor(
        self, difference: BooksDifference, clerk: User, column: str, value: Any
    ) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            DifferenceResolution.objects.create(**self.values(difference, clerk, **{column: value}))

    def test_a_second_one(self, difference: BooksDifference, clerk: User) -> None:
        DifferenceResolution.objects.create(**self.values(difference, clerk))
        with pytest.raises(DatabaseError), transaction.atomic():
            DifferenceResolution.objects.create(**self.values(difference, clerk))

    def test_one_of_what_is_gone(self, difference: BooksDifference, clerk: User) -> None:
        BooksDifference.objects.update(gone_at=now())
        with pytest.raises(DatabaseError, match="still there"), transaction.atomic():
            DifferenceResolution.objects.create(**self.values(difference, clerk))

    @pytest.mark.parametrize("change", [{"found_minor": 1}, {"kind": "STATUS"}, {"occurred_at": now()}])
    def test_a_changed_difference(self, difference: BooksDifference, change: dict[str, Any]) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            BooksDifference.objects.update(**change)

    def test_one_that_comes_back(self, difference: BooksDifference) -> None:
        BooksDifference.objects.update(gone_at=now())
        with pytest.raises(DatabaseError, match="stays gone"), transaction.atomic():
            BooksDifference.objects.update(gone_at=None)

    def test_changes_and_removals(self, difference: BooksDifference, clerk: User) -> None:
        resolution = DifferenceResolution.objects.create(**self.values(difference, clerk))
        rows: list[Any] = [resolution, difference, Comparison.objects.first()]
        for row in rows:
            with pytest.raises(DatabaseError), transaction.atomic():
                type(row).objects.filter(pk=row.pk).delete()
        with pytest.raises(DatabaseError), transaction.atomic():
            DifferenceResolution.objects.update(reason="another")
        with pytest.raises(DatabaseError), transaction.atomic():
            Comparison.objects.update(differences=0)

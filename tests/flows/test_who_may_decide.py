"""Every act x every role x own or foreign item x over or under the four-eyes amount, by form and by API.

The tables say what is to happen; each cell is asked for over HTTP. What is refused has written nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, product
from typing import Any, Final

import orjson
import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from compliance.models import Assignment, Evidence
from rails import recipients
from rails.models import JournalEntry
from settlements import api_keys, audit, holds, requests
from settlements.intents import ScheduleRequest
from settlements.models import Approval, AuditEvent, Hold, MilestoneSettlement
from settlements.permissions import GRANTABLE, PERSONAL
from settlements.statuses import ScheduleType
from tests.factories import (
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    a_recipient,
    an_intent,
    log_in,
    settlement_of,
    version_of,
)
from tests.flows.conftest import LOGINS, REASON

pytestmark = pytest.mark.django_db

_numbers = count(1)

# Who asks. The last two have no login: they use the API only, and no item is theirs.
PEOPLE: Final = (
    "Compliance Officer", "Compliance Manager", "Finance", "Operations", "Auditor", "no role", "superuser",
)  # fmt: skip
PROGRAMS: Final = ("demo client", "service")
OWNERS: Final = ("neither", "created the intent", "edited the recipient")

DECIDE: Final = frozenset({"Compliance Officer", "Compliance Manager", "superuser"})
ANNOTATE: Final = DECIDE | {"Finance", "Operations"}
CANCEL: Final = frozenset({"Compliance Manager", "Operations", "superuser", "demo client", "service"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A waiting settlement, and what a request about it says beside the reason."""

    settlement: MilestoneSettlement

    @property
    def pk(self) -> int:
        return self.settlement.pk

    @property
    def now(self) -> MilestoneSettlement:
        return MilestoneSettlement.objects.select_related("intent").get(pk=self.pk)


Says = Callable[[Item], dict[str, Any]]


def _version(item: Item) -> dict[str, Any]:
    return {"version": version_of(item.pk)}


def _until(item: Item) -> dict[str, Any]:
    return {"until": (timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")}


def _paid(item: Item) -> bool:
    entries = JournalEntry.objects.filter(milestone_id=item.pk).count()
    return (item.now.status, entries) == ("APPROVED", 1)


def _held(item: Item) -> bool:
    return Hold.objects.filter(settlement_id=item.pk, lifted_at__isnull=True).exists()


def _told(action: str) -> Callable[[Item], bool]:
    return lambda item: AuditEvent.objects.filter(settlement_id=item.pk, action=action).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One row: who may, whether own items are refused and two must agree above the amount, and how to ask for it.

    `form` is the page of the admin, `path` the one of the API; an act without one of them is not asked for there.
    """

    may: frozenset[str]
    own_refused: bool = False
    four_eyes: bool = False
    delayed: bool = False
    form: str = ""
    path: str = ""
    says: Says = lambda item: {}
    reason: str = "reason"
    before: Callable[[Item], object] = lambda item: None
    done: Callable[[Item], bool]


TABLE: Final[Mapping[str, Act]] = {
    "approve": Act(may=DECIDE, own_refused=True, four_eyes=True, form="approve", path="/compliance/approve/{id}",
                   says=_version, done=_paid),
    "expedite": Act(may=DECIDE, own_refused=True, four_eyes=True, delayed=True, form="expedite",
                    path="/compliance/approve/{id}", says=_version, done=_paid),
    "settle by force": Act(may=DECIDE, own_refused=True, four_eyes=True, path="/payment_intents/{intent}/settle",
                           says=lambda item: {"force_approval": True,
                                              "version": requests.intent_version(item.settlement.intent_id)},
                           done=_paid),
    "reject": Act(may=DECIDE, form="reject", path="/compliance/reject/{id}", says=_version,
                  done=lambda item: item.now.status == "REJECTED"),
    "hold": Act(may=DECIDE, form="hold", path="/compliance/hold/{id}", done=_held),
    "release hold": Act(may=DECIDE, form="lift", path="/compliance/release_hold/{id}",
                        before=lambda item: holds.place(item.pk, reason=REASON, actor="test", now=timezone.now()),
                        done=lambda item: not _held(item)),
    "extend": Act(may=DECIDE, delayed=True, form="extend", path="/compliance/extend/{id}", says=_until,
                  done=_told("hold_extended")),
    "assign": Act(may=DECIDE, form="assign", path="/compliance/assign/{id}", says=lambda item: {"assignee": "officer2"},
                  done=lambda item: Assignment.objects.filter(settlement_id=item.pk).exists()),
    "note": Act(may=ANNOTATE, form="note", path="/compliance/note/{id}", reason="text", done=_told(audit.NOTE_ADDED)),
    "evidence": Act(may=ANNOTATE, form="evidence", says=lambda item: {"file": _a_file()},
                    done=lambda item: Evidence.objects.filter(settlement_id=item.pk).exists()),
    "cancel": Act(may=CANCEL, path="/payment_intents/{intent}/cancel",
                  done=lambda item: item.now.status == item.now.intent.status == "CANCELLED"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What comes of a cell: it is done, recorded as the first of two, or refused with a status and a code."""

    done: bool = False
    first_of_two: bool = False
    status: int = 0
    code: str = ""


DONE: Final = Expected(done=True)
FIRST_OF_TWO: Final = Expected(first_of_two=True)
NOT_ALLOWED: Final = Expected(status=403, code="permission_denied")
NOT_OF_THE_DEMO: Final = Expected(status=403, code="demo_client_may_not_decide")
NOT_INDEPENDENT: Final = Expected(status=403, code="approver_not_independent")
# How a page says what the API has a code for.
IN_WORDS: Final = {"permission_denied": "", "approver_not_independent": "another officer must approve it"}


def expected(act: Act, who: str, whose: str, *, over: bool) -> Expected:
    """The rules, in the order in which they are told."""
    if who not in act.may:
        return NOT_OF_THE_DEMO if who == "demo client" else NOT_ALLOWED
    if act.own_refused and whose != "neither":
        return NOT_INDEPENDENT
    return FIRST_OF_TWO if act.four_eyes and over else DONE


@pytest.fixture
def people(staff: None) -> dict[str, User]:
    """A login of each role, one without any, and a superuser."""
    User.objects.create_user("clerk1", is_staff=True)
    names = {role.value: login for login, role in LOGINS.items() if login != "officer2"}
    names |= {"no role": "clerk1", "superuser": "root1"}
    return {who: User.objects.get(username=names[who]) for who in PEOPLE}


@pytest.fixture(autouse=True)
def _evidence_in_memory(settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "evidence": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


CELLS: Final = list(product(OWNERS, (False, True)))


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("name", [name for name, act in TABLE.items() if act.form])
def test_by_form(name: str, who: str, people: dict[str, User]) -> None:
    act, user = TABLE[name], people[who]
    client = log_in(Client(SERVER_NAME="localhost"), user)
    for whose, over in CELLS:
        item = an_item(act, user, whose, over=over)
        before = everything_but_sessions()
        answer = client.post(
            f"/admin/compliance/reviewqueue/{item.pk}/{act.form}/", {"reason": REASON, **act.says(item)}, secure=True
        )
        wanted = expected(act, who, whose, over=over)
        cell = (name, who, whose, over)
        if wanted.status:
            assert (answer.status_code, everything_but_sessions()) == (wanted.status, before), cell
            assert IN_WORDS[wanted.code] in answer.content.decode(), cell
        else:
            assert answer.status_code == 302, (cell, answer.content)
            assert came_of(act, item, wanted), cell


@pytest.mark.parametrize("who", [*PEOPLE, *PROGRAMS])
@pytest.mark.parametrize("name", [name for name, act in TABLE.items() if act.path])
def test_by_api(name: str, who: str, people: dict[str, User]) -> None:
    act, user = TABLE[name], people.get(who)
    headers = credentials(who, user)
    for whose, over in CELLS if user else [("neither", False), ("neither", True)]:
        item = an_item(act, user, whose, over=over)
        before = everything_but_sessions()
        answer = Client(SERVER_NAME="localhost").post(
            act.path.format(id=item.pk, intent=item.settlement.intent_id),
            orjson.dumps({act.reason: REASON, **act.says(item)}),
            content_type="application/json",
            headers=headers,
        )
        wanted = expected(act, who, whose, over=over)
        cell = (name, who, whose, over)
        if wanted.status:
            assert (answer.status_code, answer.json()["code"]) == (wanted.status, wanted.code), cell
            assert everything_but_sessions() == before, cell
        else:
            assert answer.status_code == 200, (cell, answer.content)
            assert came_of(act, item, wanted), cell


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("name", ["approve", "reject", "hold", "release hold", "assign"])
def test_by_the_list_for_many(name: str, who: str, people: dict[str, User]) -> None:
    act, user = TABLE[name], people[who]
    items = {cell: an_item(act, user, cell[0], over=cell[1]) for cell in CELLS}
    before = everything_but_sessions()
    says = {word: value for word, value in act.says(items[CELLS[0]]).items() if word != "version"}
    answer = log_in(Client(SERVER_NAME="localhost"), user).post(
        f"/admin/compliance/reviewqueue/bulk/{act.form}/",
        {"row": [f"{item.pk}:{version_of(item.pk)}" for item in items.values()], "confirmed": "1", "reason": REASON}
        | says,
        secure=True,
    )
    if who not in act.may:
        assert (answer.status_code, everything_but_sessions()) == (403, before)
        return
    assert answer.status_code == 200
    for (whose, over), item in items.items():
        wanted = expected(act, who, whose, over=over)
        if wanted.status:
            assert not Approval.objects.filter(settlement_id=item.pk).exists(), (name, who, whose, over)
        else:
            assert came_of(act, item, wanted), (name, who, whose, over)
    refused = sum(1 for whose, over in CELLS if expected(act, who, whose, over=over).status)
    assert answer.content.decode().count("another officer must approve it") == refused


def test_every_form_of_the_admin_that_acts_has_its_row() -> None:
    from compliance.acts import ACTS

    assert {act.form for act in TABLE.values() if act.form} == set(ACTS) - {"unassign"}


def an_item(act: Act, user: User | None, whose: str, *, over: bool) -> Item:
    """A waiting settlement, 10 times above the four-eyes amount or well below; created or its recipient edited by the
    user."""
    recipient = a_recipient()
    amount = (1_000_000 if over else 10_000) if act.delayed else (100_000 if over else 1_000)
    kind = ScheduleType.MILESTONE if act.delayed else ScheduleType.FULL_ON_POD
    intent = an_intent(
        risk=MEDIUM if act.delayed else HIGH,
        amount=amount,
        schedule=ScheduleRequest(type=kind),
        recipient=recipient,
        creator=user if whose == "created the intent" else None,
    )
    if whose == "edited the recipient":
        recipients.put(recipient.recipient_id, "Renamed", actor="test", user=user, now=timezone.now())
    item = Item(settlement=settlement_of(intent, PICKUP if act.delayed else POD))
    assert item.settlement.approvals_required == (2 if over else 1)
    act.before(item)
    return item


def credentials(who: str, user: User | None) -> dict[str, str]:
    """A key with every scope its owner may hold; the demo client shows nothing."""
    if who == "demo client":
        return {}
    owner: dict[str, Any] = {"user": user} if user else {"service": "tms"}
    scopes = GRANTABLE if user else GRANTABLE - PERSONAL
    _, shown = api_keys.create(f"k{next(_numbers)}", scopes=scopes, actor="test", now=timezone.now(), **owner)
    return {"Authorization": f"Bearer {shown}"}


def came_of(act: Act, item: Item, wanted: Expected) -> bool:
    """Whether what was expected is what is."""
    if wanted.done:
        return act.done(item)
    approvals = Approval.objects.filter(settlement_id=item.pk, decision="APPROVE").count()
    waits = item.now.status in {"PENDING", "DELAYED"}
    return approvals == 1 and waits and not JournalEntry.objects.filter(milestone_id=item.pk).exists()


def everything_but_sessions() -> list[tuple[str, str]]:
    """Every table of ours as it is; a key notes when it was used last, so keys are left out."""
    tables = [
        model._meta.db_table
        for label in ("rails", "settlements", "compliance")
        for model in apps.get_app_config(label).get_models()
        if model._meta.managed and model._meta.db_table != "settlements_apikey"
    ]
    statement = " UNION ALL ".join(
        f"SELECT '{table}', coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t"
        for table in dict.fromkeys(tables)
    )
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} ORDER BY 1")
        rows: list[tuple[str, str]] = cursor.fetchall()
    return rows


def _a_file() -> SimpleUploadedFile:
    """A text of its own: the same file twice is refused."""
    return SimpleUploadedFile("note.txt", f"seen {next(_numbers)}\n".encode(), content_type="text/plain")

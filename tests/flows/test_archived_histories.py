"""Whoever reads a history of which events left for an archive is told so, and where they are."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from settlements.models import AuditEvent, PaymentIntent
from tests.compliance.conftest import logged_in
from tests.flows.conftest import Api
from tests.settlements.archived import an_intent_that_is_over, archived, file_of, ready


@pytest.fixture
def over(api: Api, archives_dir: Path) -> PaymentIntent:
    return an_intent_that_is_over()


def test_the_api_tells_what_is_left_how_much_there_was_and_which_file_has_it(api: Api, over: PaymentIntent) -> None:
    def read() -> Any:
        return api.send("GET", f"/payment_intents/{over.pk}/history").json()

    before = read()
    events = len(before["logs"])
    assert (before["total_actions"], before["archived"]) == (events, [])
    ready()
    (done,) = archived()
    after = read()
    assert after["logs"] == before["logs"][-1:]
    assert after["total_actions"] == events
    assert after["archived"] == [
        {"file": file_of(), "sha256": done.archive.sha256, "first_sequence": 1, "last_sequence": events}
    ]


@pytest.mark.usefixtures("staff")
def test_the_pages_of_an_intent_and_of_a_payment_lead_to_the_archive(over: PaymentIntent, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    client = logged_in(User.objects.get(username="root1"))

    def page(address: str) -> str:
        answer = client.get(address, SERVER_NAME="localhost")
        assert answer.status_code == 200
        return str(answer.content.decode())

    payment = over.settlements.order_by("pk")[0].pk
    addresses = (
        f"/admin/settlements/paymentintent/{over.pk}/change/",
        f"/admin/compliance/reviewqueue/{payment}/",
    )
    for address in addresses:
        assert "archive" not in page(address).partition("<main")[2].lower()
    ready()
    archived()
    assert AuditEvent.objects.filter(intent=over).count() == 1
    intent, review = (page(address) for address in addresses)
    assert "Audit events in archives" in intent
    assert "are in the archive" in review
    assert file_of() in review

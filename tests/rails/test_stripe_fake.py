"""The fake Stripe is one to trust: as strict as the published schema, as forgetful and as faulty as the real one."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.raw_server import RawServer, answering, http
from tests.stripe_fake import API_KEY, Delivery, Fault, StripeFake, accounts, payouts, spec
from tests.stripe_fake.keys import KEPT_SECONDS

DAY = KEPT_SECONDS


@pytest.fixture
def fake() -> Iterator[StripeFake]:
    with StripeFake() as fake:
        fake.faults.slow_seconds = 0.3
        fake.world.fund("usd", 1_000_000)
        yield fake


@pytest.fixture
def account(fake: StripeFake) -> str:
    return str(accounts.add(fake.world)["id"])


@pytest.fixture
def client(fake: StripeFake) -> stripe.StripeClient:
    return stripe.StripeClient(API_KEY, base_addresses={"api": fake.url}, max_network_retries=0)


@pytest.fixture
def transfer(client: stripe.StripeClient, account: str) -> Callable[..., Any]:
    def made(key: str = "key", **changes: Any) -> Any:
        params: Any = {"amount": 7000, "currency": "usd", "destination": account, "transfer_group": "group", **changes}
        return client.v1.transfers.create(params, {"idempotency_key": key})

    return made


def test_every_object_is_as_the_published_schema_has_it(
    fake: StripeFake, client: stripe.StripeClient, account: str, transfer: Callable[..., Any]
) -> None:
    client.v1.transfers.reversals.create(transfer().id, {"amount": 1000})
    paid = payouts.pay_out(fake.world, account)
    assert paid is not None
    payouts.advance(fake.world, paid["id"], "paid")
    payouts.advance(fake.world, paid["id"], "failed")
    accounts.set_transfers(fake.world, account, "inactive")
    world = fake.world
    shown = [
        *(("account", each) for each in world.accounts.values()),
        *(("transfer", each) for each in world.transfers.values()),
        *(("transfer_reversal", each) for each in world.reversals.values()),
        *(("charge", each) for _, each in world.charges.values()),
        *(("payout", each) for _, each in world.payouts.values()),
        *(("balance_transaction", each) for _, each in world.entries.values()),
        *(("event", each) for _, each in world.events.values()),
    ]
    assert {kind for kind, _ in shown} >= {"transfer", "charge", "payout", "balance_transaction", "event"}
    assert [(kind, each["id"], fault) for kind, each in shown for fault in spec.faults(kind, each)] == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"payee": "x"}, "unknown parameter: payee"),
        ({"metadata": {"a": {"b": "c"}}}, "Invalid string"),
        ({"amount": 0}, "greater than or equal to 1"),
        ({"amount": "70.00"}, "Invalid integer"),
        ({"currency": "xxx"}, "Invalid currency"),
        ({"currency": "kwd", "amount": 1001}, "last digit must be 0"),
        ({"destination": "acct_other"}, "No such destination"),
        ({"amount": 1_000_001}, "insufficient available funds"),
        ({"source_type": "cash"}, "must be one of"),
    ],
)
def test_what_stripe_would_refuse_is_refused(
    fake: StripeFake, transfer: Callable[..., Any], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=says):
        transfer(**changes)
    assert not fake.world.transfers


def test_a_missing_parameter_is_named(fake: StripeFake, client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: destination"):
        client.v1.transfers.create({"amount": 1, "currency": "usd"})  # type: ignore[typeddict-item]


def test_the_same_key_is_the_same_transfer_for_a_day(fake: StripeFake, transfer: Callable[..., Any]) -> None:
    first, again = transfer(), transfer()
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        transfer(amount=7001)
    fake.world.seconds_ahead = DAY
    assert transfer().id != first.id


def test_a_500_is_kept_under_its_key_and_given_again(fake: StripeFake, transfer: Callable[..., Any]) -> None:
    for fault, key, moved in ((Fault.ERROR_BEFORE, "before", 0), (Fault.ERROR_AFTER, "after", 1)):
        fake.faults.script(fault)
        for replayed in (None, "true"):
            with pytest.raises(stripe.APIError) as told:
                transfer(key)
            assert (told.value.http_status, (told.value.headers or {}).get("Idempotent-Replayed")) == (500, replayed)
        assert len(fake.world.transfers) == moved


def test_what_was_refused_at_the_door_is_not_kept(fake: StripeFake, transfer: Callable[..., Any]) -> None:
    for fault in (Fault.RATE_LIMITED, Fault.UNAVAILABLE, Fault.UNAUTHORIZED, Fault.DROP_BEFORE):
        fake.faults.script(fault)
        with pytest.raises(stripe.StripeError):
            transfer()
    assert transfer().last_response.headers.get("Idempotent-Replayed") is None


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.GARBAGE, Fault.CUT])
def test_an_answer_that_is_lost_was_done(fake: StripeFake, transfer: Callable[..., Any], fault: Fault) -> None:
    fake.faults.script(fault)
    with pytest.raises(stripe.StripeError):
        transfer()
    assert [transfer().id] == list(fake.world.transfers)


def test_a_key_in_use_is_a_conflict(fake: StripeFake, transfer: Callable[..., Any]) -> None:
    fake.faults.script(Fault.SLOW)
    slow = threading.Thread(target=transfer)
    slow.start()
    time.sleep(0.1)
    with pytest.raises(stripe.APIError) as told:
        transfer()
    assert told.value.http_status == 409
    slow.join()
    assert len(fake.world.transfers) == 1


def test_lists_go_page_by_page_and_may_lag(
    fake: StripeFake, client: stripe.StripeClient, transfer: Callable[..., Any]
) -> None:
    made = [transfer(f"key{place}").id for place in range(25)]
    transfer("other", transfer_group="other")
    pages = client.v1.transfers.list({"transfer_group": "group", "limit": 10})
    assert [each.id for each in pages.auto_paging_iter()] == made[::-1]
    fake.faults.lag_seconds = 30
    fake.faults.script(Fault.LAG)
    late = transfer("late").id
    assert client.v1.transfers.list({"limit": 1}).data[0].id != late
    assert client.v1.transfers.retrieve(late).id == late
    fake.world.seconds_ahead = 31
    assert client.v1.transfers.list({"limit": 1}).data[0].id == late


def test_a_payout_says_which_transfers_it_contains_and_a_failed_one_comes_with_the_next(
    fake: StripeFake, client: stripe.StripeClient, account: str, transfer: Callable[..., Any]
) -> None:
    made = transfer().id
    first = payouts.pay_out(fake.world, account)
    assert first is not None
    payouts.advance(fake.world, first["id"], "failed")
    second = payouts.pay_out(fake.world, account)
    assert second is not None
    assert second["amount"] == first["amount"] == 7000
    contained = client.v1.balance_transactions.list(
        {"payout": first["id"], "expand": ["data.source"]}, {"stripe_account": account}
    )
    assert [each.source.source_transfer for each in contained.data if each.type == "payment"] == [made]  # type: ignore[union-attr]
    later = client.v1.balance_transactions.list({"payout": second["id"]}, {"stripe_account": account})
    assert [(each.type, each.source) for each in later.data] == [
        ("payout", second["id"]),
        ("payout_failure", first["id"]),
    ]


def test_more_than_what_is_left_can_not_be_reversed(
    fake: StripeFake, client: stripe.StripeClient, transfer: Callable[..., Any]
) -> None:
    made = transfer().id
    client.v1.transfers.reversals.create(made, {"amount": 6000})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        client.v1.transfers.reversals.create(made, {"amount": 1001})
    client.v1.transfers.reversals.create(made)
    assert client.v1.transfers.retrieve(made).reversed


def test_events_are_signed_and_delivered_until_somebody_says_yes() -> None:
    with RawServer(answering(http(b"", status="500 No"))) as listener:
        delivery = Delivery(url=f"{listener.url}/webhooks/stripe", secret="whsec_a", tries=3, retry_delay=0.01)
        with StripeFake(webhooks=delivery) as fake:
            account = accounts.add(fake.world)
            accounts.change(fake.world, account["id"], payouts_enabled=False)
            for _ in range(100):
                if len(listener.requests) == 3:
                    break
                time.sleep(0.02)
    assert len(listener.requests) == 3
    head, _, body = listener.requests[0].partition(b"\r\n\r\n")
    signed = next(line for line in head.decode().split("\r\n") if line.lower().startswith("stripe-signature:"))
    event = stripe.Webhook.construct_event(body, signed.partition(":")[2].strip(), "whsec_a")
    assert event.type == "account.updated"


def test_it_runs_as_a_process_of_its_own_and_tells_what_it_did() -> None:
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-m", "tests.stripe_fake", "--accounts", "2", "--fault-rate", "0", "--seed", "7"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        client = stripe.StripeClient(API_KEY, base_addresses={"api": url}, max_network_retries=0)
        made = client.v1.transfers.create({"amount": 5, "currency": "usd", "destination": f"acct_{0:016d}"})
        with urllib.request.urlopen(f"{url}/_fake/transfers") as answer:
            assert [each["id"] for each in json.load(answer)] == [made.id]
        process.terminate()
        assert process.wait(10) == 0

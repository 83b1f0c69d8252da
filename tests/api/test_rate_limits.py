"""How often a caller may ask: a second's worth at once, no more in the long run, and everything without Redis."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from settlements import api_keys, rates
from settlements.permissions import Scope
from settlements.rates import Allowance
from tests.api.conftest import assert_error

ROOT = Path(__file__).resolve().parents[2]
_numbers = count(1)


def an_allowance(per_second: int) -> Allowance:
    return Allowance(f"test-{timezone.now().timestamp()}-{next(_numbers)}", per_second)


def test_a_seconds_worth_may_come_at_once_and_then_one_waits() -> None:
    allowance = an_allowance(3)
    first = rates.spend(allowance)
    assert (first.passed, first.remaining) == (True, 2)
    found = [rates.spend(allowance) for _ in range(30)]
    passed = [each for each in found if each.passed]
    assert 2 <= len(passed) < 30
    refused = next(each for each in found if not each.passed)
    assert refused.remaining == 0
    assert 0 < refused.seconds <= 1 / 3


def test_callers_are_counted_apart() -> None:
    one, other = an_allowance(1), an_allowance(1)
    assert rates.spend(one).passed
    assert rates.spend(other).passed


def test_threads_and_processes_share_one_count() -> None:
    allowance = an_allowance(50)
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'chainpay.settings'\n"
        "import django; django.setup()\n"
        "from settlements import rates\n"
        f"allowance = rates.Allowance({allowance.name!r}, 1)\n"
        "print(sum(rates.spend(allowance).passed for _ in range(40)))"
    )
    # At one a second, two processes that ask forty times each within moments are let through a few times in all.
    children = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    passed = [int(child.communicate(timeout=60)[0]) for child in children]
    assert sum(passed) < 40
    assert min(passed) < 20
    with ThreadPoolExecutor(8) as pool:
        slow = an_allowance(1)
        found = list(pool.map(lambda _: rates.spend(slow).passed, range(16)))
    assert 1 <= sum(found) < 16


def test_a_high_limit_is_counted_in_portions_and_still_kept() -> None:
    allowance = an_allowance(200)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: rates.spend(allowance), range(5_000)))
    passed = sum(each.passed for each in found)
    # A second's worth at once, and what was earned back while the threads were asking.
    assert 200 <= passed < 5_000
    assert min(each.remaining for each in found) == 0


def test_what_a_process_has_taken_it_spends_before_it_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    allowance = an_allowance(1_000)
    asked: list[Any] = []
    counter = rates._Counter(settings.CELERY_BROKER_URL)
    script = counter._script

    def ask(keys: list[str], args: list[int]) -> Any:
        asked.append(args)
        return script(keys=keys, args=args)

    monkeypatch.setattr(counter, "_script", ask)
    with time_machine.travel(0, tick=False):  # monotonic stands still as well
        answers = [counter.ask(allowance) for _ in range(25)]
    assert asked == [[1_000, 10]] * 3
    assert [answer and answer[1] for answer in answers[:10]] == [999, 998, 997, 996, 995, 994, 993, 992, 991, 990]


class TestAnswers:
    @pytest.fixture
    def key(self, db: None) -> dict[str, Any]:
        user = User.objects.create_superuser("root1")
        _, shown = api_keys.create(
            "slow",
            scopes=[Scope.INTENTS_READ],
            user=user,
            requests_per_second=2,
            lives=timedelta(days=1),
            actor="test",
            now=timezone.now(),
        )
        rates.spend(Allowance("warm", 1_000))
        return {"HTTP_AUTHORIZATION": f"Bearer {shown}"}

    def test_tell_the_limit_and_what_is_left(self, client: Client, key: dict[str, Any]) -> None:
        answer = client.get("/probe", **key)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Limit"] == "2"
        assert answer.headers["RateLimit-Remaining"] == "1"
        assert answer.headers["RateLimit-Reset"] == "1"

    def test_beyond_it_are_429_and_say_when_to_come_back(self, client: Client, key: dict[str, Any]) -> None:
        answers = [client.get("/probe", **key) for _ in range(40)]
        refused = next(answer for answer in answers if answer.status_code != 200)
        assert_error(refused, 429, "too_many_requests")
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["RateLimit-Remaining"] == "0"

    def test_also_tell_it_when_they_refuse(self, client: Client, key: dict[str, Any]) -> None:
        for answer in (client.get("/probe?unknown=1", **key), client.post("/probe", {}, **key)):
            assert answer.headers["RateLimit-Limit"] == "2"

    def test_of_health_count_nobody(self, client: Client) -> None:
        assert "RateLimit-Limit" not in client.get("/healthz").headers

    def test_to_strangers_count_nobody(self, client: Client, key: dict[str, Any]) -> None:
        stranger = client.get("/probe", HTTP_AUTHORIZATION="Bearer cpk_" + "x" * 43)
        assert stranger.status_code == 401
        assert "RateLimit-Limit" not in stranger.headers

    @pytest.mark.parametrize("away", ["redis+socket:///nowhere/redis.sock?virtual_host=0", "redis://127.0.0.1:1/0"])
    def test_come_without_redis_too(
        self, client: Client, key: dict[str, Any], settings: Any, away: str, caplog: Any
    ) -> None:
        settings.CELERY_BROKER_URL = away
        answers = [client.get("/probe", **key) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert sum("Rate limits are not kept while Redis is away" in line for line in caplog.messages) == 1


def test_the_demo_client_may_ask_a_thousand_times_a_second_and_more(client: Client, demo: None) -> None:
    assert int(client.get("/probe").headers["RateLimit-Limit"]) >= 1_000


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("redis+socket:///a/r.sock?virtual_host=2", "unix:///a/r.sock?db=2"),
        ("redis://:secret@host:6380/1", "redis://:secret@host:6380/1"),
        ("rediss://host/0", "rediss://host/0"),
        ("rediss://host/0?ssl_cert_reqs=CERT_REQUIRED", "rediss://host/0?ssl_cert_reqs=required"),
        ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/0?ssl_cert_reqs=none"),
    ],
)
def test_celerys_url_is_read_as_redis_reads_it(url: str, plain: str) -> None:
    assert rates.plain_url(url) == plain

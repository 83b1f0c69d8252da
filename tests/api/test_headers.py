"""Header values that get stored are visible ASCII."""

import pytest
from django.test import RequestFactory

from settlements.api.errors import Refused
from settlements.api.headers import visible_header


@pytest.mark.parametrize("value", ["k", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "x" * 255, "a/b=?+"])
def test_a_visible_value_is_kept(rf: RequestFactory, value: str) -> None:
    assert visible_header(rf.post("/", headers={"Idempotency-Key": value}), "Idempotency-Key") == value


def test_an_absent_header_is_none(rf: RequestFactory) -> None:
    assert visible_header(rf.post("/"), "Idempotency-Key") is None


@pytest.mark.parametrize("value", ["", " ", "a b", "x" * 256, "caf\u00e9", "\x00", "a\n", "\x7f"])
def test_any_other_value_is_refused_by_the_headers_name(rf: RequestFactory, value: str) -> None:
    with pytest.raises(Refused) as caught:
        visible_header(rf.post("/", headers={"Webhook-Id": value}), "webhook-id")
    fault = caught.value.faults[0]
    assert (caught.value.status_code, fault.code, fault.field) == (400, "webhook_id_invalid", "webhook-id")

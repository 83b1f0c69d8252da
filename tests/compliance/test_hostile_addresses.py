"""Addresses in the admin that name no row end in an ordinary answer."""

import pytest

from compliance.roles import Role
from tests.compliance.conftest import logged_in


@pytest.mark.parametrize("key", ["%C2%B2", "9" * 30, "%00", "abc"])
def test_a_subscriber_that_cannot_be_is_no_error_of_ours(staff, key):
    admin = logged_in(staff(Role.OPERATIONS, is_superuser=True))
    assert admin.get(f"/admin/settlements/subscriber/{key}/change/").status_code in {302, 404}

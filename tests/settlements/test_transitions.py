from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from settlements.management.commands import states_doc
from settlements.statuses import SettlementStatus as S
from settlements.transitions import CLAIMS, INITIAL, LOCAL_ONLY, REMOTE_ONLY, TRANSITIONS, may_follow

# SPEC section 6, written down a second time.
SPECIFIED = {
    None: {S.PENDING, S.DELAYED, S.APPROVED, S.RELEASING},
    S.PENDING: {S.APPROVED, S.RELEASING, S.REJECTED, S.CANCELLED},
    S.DELAYED: {S.APPROVED, S.RELEASING, S.PENDING, S.REJECTED, S.CANCELLED},
    S.RELEASING: {S.APPROVED, S.FAILED},
    S.APPROVED: {S.SETTLED, S.RETURNED},
    S.SETTLED: {S.APPROVED, S.RETURNED},
    S.FAILED: {S.RELEASING, S.CANCELLED},
    S.RETURNED: {S.RELEASING, S.CANCELLED},
    S.REJECTED: set(),
    S.CANCELLED: set(),
}


@pytest.mark.parametrize("new", S)
@pytest.mark.parametrize("old", [None, *S])
def test_the_table_is_the_specified_one(old: S | None, new: S) -> None:
    assert may_follow(old, new) is (new in SPECIFIED[old])


def test_every_status_can_be_reached() -> None:
    reached = set(INITIAL)
    for _ in S:
        reached |= {new for old in reached for new in TRANSITIONS[old]}
    assert reached == set(S)


def test_a_release_is_either_local_or_remote() -> None:
    assert not LOCAL_ONLY & REMOTE_ONLY
    assert all(may_follow(old, new) for old, new in CLAIMS)
    assert all(new in {S.APPROVED, S.RELEASING} for _, new in CLAIMS)


def test_a_providers_outcome_is_no_release() -> None:
    assert not {(S.RELEASING, S.APPROVED), (S.SETTLED, S.APPROVED), (S.RELEASING, S.FAILED)} & CLAIMS


class TestTheStatesPage:
    def test_the_committed_page_is_fresh(self) -> None:
        call_command("states_doc", "--check")

    def test_every_edge_stands_in_diagram_and_table(self) -> None:
        page = states_doc.page()
        assert {edge for edge in states_doc.WHO} == set(states_doc.edges())
        for old, new in states_doc.edges():
            assert f"{old or '[*]'} --> {new}" in page
            assert f"| {old or '(new)'} | {new} |" in page

    def test_a_stale_or_missing_page_fails_the_check_and_is_written_again(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        settings.BASE_DIR = tmp_path
        with pytest.raises(CommandError, match="stale"):
            call_command("states_doc", "--check")
        call_command("states_doc")
        call_command("states_doc", "--check")
        (tmp_path / "docs" / "states.md").write_text("# another")
        with pytest.raises(CommandError, match="stale"):
            call_command("states_doc", "--check")

    def test_it_lies_in_the_docs(self) -> None:
        assert (Path(settings.BASE_DIR) / "docs" / "states.md").exists()

"""What the admin's sidebar offers, in groups; who lacks a permission does not see the line."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy

Item = dict[str, Any]


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _list(title: str, app: str, model: str, icon: str) -> Item:
    """A line for the list of a model, for those who may look it up."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may(f"{app}.view_{model}"),
    }


def _queue(title: str, icon: str, badge: str, query: str = "", *, alarm: bool = False) -> Item:
    """A line for one view of the review queue, with how much is in it; `{user}` in the query is who looks."""

    def link(request: HttpRequest) -> str:
        asked = query.format(user=quote(request.user.get_username()))
        return reverse("admin:compliance_reviewqueue_changelist") + asked

    def active(request: HttpRequest) -> bool:
        return request.get_full_path() == link(request)

    return {
        "title": title,
        "icon": icon,
        "link": link,
        "active": active,
        "permission": _may("settlements.read_queue"),
        "badge": f"compliance.badges.{badge}",
        "badge_variant": "danger" if alarm else "info",
    }


def _proposals(request: HttpRequest) -> str:
    return reverse("admin:rails_destination_changelist") + "?state=PROPOSED"


SIDEBAR: Final = {
    "show_search": False,
    "show_all_applications": False,
    "navigation": [
        {
            "items": [
                {"title": "Overview", "icon": "space_dashboard", "link": reverse_lazy("admin:index")},
            ],
        },
        {
            "title": "Review",
            "items": [
                _queue("Review queue", "fact_check", "waiting"),
                _queue("Overdue", "alarm", "overdue", "?overdue=1", alarm=True),
                _queue("Mine", "assignment_ind", "mine", "?assignee={user}"),
                _queue("On hold", "front_hand", "held", "?state=held"),
                _queue("Delayed", "schedule", "delayed", "?state=delayed"),
                {
                    "title": "Work list",
                    "icon": "build_circle",
                    "link": reverse_lazy("admin:compliance_work_list"),
                    "permission": _may("settlements.read_queue"),
                    "badge": "compliance.badges.work",
                    "badge_variant": "danger",
                },
                {
                    "title": "Destinations to confirm",
                    "icon": "add_location_alt",
                    "link": _proposals,
                    "active": lambda request: request.get_full_path() == _proposals(request),
                    "permission": _may("rails.view_destination"),
                    "badge": "compliance.badges.destinations",
                    "badge_variant": "info",
                },
                {
                    "title": "Rubber-stamp report",
                    "icon": "approval_delegation",
                    "link": reverse_lazy("admin:compliance_reviewqueue_stamps"),
                    "permission": _may("settlements.oversee_decisions"),
                },
            ],
        },
        {
            "title": "Payments",
            "items": [
                _list("Payment intents", "settlements", "paymentintent", "request_quote"),
                _list("Milestone settlements", "settlements", "milestonesettlement", "payments"),
                _list("Recipients", "rails", "recipient", "local_shipping"),
                _list("Freight tokens", "settlements", "freighttoken", "confirmation_number"),
                _list("Shipments", "settlements", "shipment", "inventory_2"),
            ],
        },
        {
            "title": "Rails",
            "items": [
                {
                    **_list("Destinations", "rails", "destination", "pin_drop"),
                    "active": lambda request: (
                        request.path == reverse("admin:rails_destination_changelist")
                        and request.get_full_path() != _proposals(request)
                    ),
                },
                _list("Default methods", "rails", "methodrule", "alt_route"),
                _list("Rail attempts", "rails", "railattempt", "send"),
                _list("Words of providers", "rails", "railnotice", "mark_chat_read"),
                _list("Wires", "rails", "wireentry", "account_balance_wallet"),
                _list("Wire files", "rails", "wirefile", "draft"),
                _list("Bank messages", "rails", "wiremessage", "mark_email_read"),
                _list("Lists of providers", "rails", "railreconciliation", "balance"),
                _list("Stripe payouts", "rails", "stripepayout", "account_balance_wallet"),
                _list("Stripe events", "rails", "stripeevent", "bolt"),
                _list("Decisions on events", "rails", "stripeeventdecision", "task_alt"),
                _list("Stripe accounts", "rails", "stripeaccount", "store"),
                _list("Rails on and off", "rails", "railswitch", "toggle_on"),
            ],
        },
        {
            "title": "Bank files",
            "items": [
                _list("ACH files", "rails", "achfile", "upload_file"),
                _list("ACH entries", "rails", "achentry", "list_alt"),
                _list("ACH reversals", "rails", "achreversal", "undo"),
                _list("Files of the bank", "rails", "achinboundfile", "download"),
                _list("Items of the bank", "rails", "achinbounditem", "assignment_return"),
                _list("Troubles of inboxes", "rails", "inboxtrouble", "sync_problem"),
                _list("Decisions on files", "rails", "bankfiledealing", "task_alt"),
                _list("Verdicts on lost files", "rails", "fileverdict", "gavel"),
            ],
        },
        {
            "title": "Proof",
            "items": [
                _list("Audit events", "settlements", "auditevent", "history"),
                _list("Exports", "settlements", "export", "file_download"),
                _list("Office events", "settlements", "officeevent", "work_history"),
                _list("Checkpoints", "settlements", "checkpoint", "task"),
                _list("Chain heads", "settlements", "checkpointhead", "link"),
                _list("Audit archives", "settlements", "auditarchive", "inventory_2"),
                _list("Archived chains", "settlements", "archivedchain", "inventory"),
                _list("Verifications", "settlements", "bookscheck", "rule"),
                _list("Approvals", "settlements", "approval", "verified_user"),
                _list("Holds", "settlements", "hold", "front_hand"),
                _list("Recipient edits", "rails", "recipientedit", "manage_history"),
            ],
        },
        {
            "title": "Books",
            "items": [
                _list("Daily close", "rails", "closedday", "event_available"),
                {
                    "title": "Reconciliation",
                    "icon": "rule",
                    "link": reverse_lazy("admin:compliance_reconciliation"),
                    "permission": _may("settlements.read_queue"),
                    "badge": "compliance.badges.differences",
                    "badge_variant": "danger",
                },
                _list("Journal entries", "rails", "journalentry", "menu_book"),
                _list("Postings", "rails", "posting", "swap_horiz"),
                _list("Accounts", "rails", "account", "account_balance"),
            ],
        },
        {
            "title": "Integrations",
            "items": [
                _list("Inbox", "settlements", "shipmentevent", "inbox"),
                _list("Event sources", "settlements", "eventsource", "sensors"),
                _list("API keys", "settlements", "apikey", "key"),
                _list("Subscribers", "settlements", "subscriber", "webhook"),
                _list("Deliveries", "settlements", "delivery", "outbox"),
                _list("Idempotency keys", "settlements", "idempotencykey", "fingerprint"),
            ],
        },
        {
            "title": "Staff",
            "items": [
                _list("Logins", "auth", "user", "person"),
                _list("Roles", "auth", "group", "groups"),
            ],
        },
    ],
}

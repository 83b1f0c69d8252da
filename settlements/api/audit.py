"""/audit: what happened to a shipment's and an intent's money."""

from django.http import HttpResponse
from rest_framework.request import Request

from settlements import queries
from settlements.api import representations
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Refused
from settlements.api.intents import found
from settlements.api.rendering import answer, money, number
from settlements.locks import SettlementNotFound
from settlements.permissions import Scope


class ShipmentAudit(Endpoint):
    """All milestones of a shipment, over all its intents."""

    scopes = {"GET": Scope.AUDIT_READ}

    def get(self, request: Request, shipment_id: str) -> HttpResponse:
        milestones = queries.milestones_of_shipment(shipment_id, carrier_id=self.caller.carrier_id)
        if milestones is None:
            raise Refused("shipment_not_found", f"Shipment {shipment_id} not found.", 404)
        return answer(
            {
                "shipment_id": shipment_id,
                "milestones": [representations.milestone(each) for each in milestones],
                "summary": representations.shipment_summary(milestones),
            }
        )


class IntentMilestones(Endpoint):
    """The milestones of an intent, with its schedule and the version that force_approval quotes."""

    scopes = {"GET": Scope.AUDIT_READ}

    def get(self, request: Request, intent_id: int) -> HttpResponse:
        intent = found(intent_id, self.caller)
        milestones = queries.milestones_of_intent(intent_id)
        row = intent.row
        return answer(
            {
                "payment_intent_id": intent_id,
                "freight_token_id": row.freight_token_id,
                "shipment_id": row.shipment.shipment_id,
                "amount": money(intent.amount),
                "currency": row.currency,
                "risk_score": number(row.risk_score),
                "risk_tier": row.risk_tier.lower(),
                "status": row.status.lower(),
                "payment_method": row.payment_method,
                "version": intent.version,
                "schedule": representations.schedule(intent),
                "milestones": [representations.milestone(each) for each in milestones],
                "summary": representations.intent_summary(milestones, row.currency),
            }
        )


class MilestoneAudit(Endpoint):
    """One milestone settlement, as messages to subscribers carry it."""

    scopes = {"GET": Scope.AUDIT_READ}

    def get(self, request: Request, milestone_id: int) -> HttpResponse:
        milestone = queries.milestone(milestone_id, carrier_id=self.caller.carrier_id)
        if milestone is None:
            raise SettlementNotFound(milestone_id)
        return answer(representations.milestone(milestone))

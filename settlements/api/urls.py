"""The API's routes; no prefix, no trailing slash."""

from django.urls import URLPattern, path

from settlements.api import audit, events, exports, intents, paths, recipients, stripe_events, tokens
from settlements.api.health import Healthz
from settlements.api.whoami import Whoami
from settlements.exports.datasets import KNOWN

paths.register()

urlpatterns: list[URLPattern] = [
    path("webhooks/shipment_event", events.ShipmentEventWebhook.as_view()),
    path("payment_intents", intents.PaymentIntents.as_view()),
    path("payment_intents/<id:intent_id>", intents.PaymentIntentDetail.as_view()),
    path("payment_intents/<id:intent_id>/assess_risk", intents.AssessRisk.as_view()),
    path("payment_intents/<id:intent_id>/settle", intents.Settle.as_view()),
    path("payment_intents/<id:intent_id>/complete", intents.Complete.as_view()),
    path("payment_intents/<id:intent_id>/history", intents.History.as_view()),
    path("payment_intents/<id:intent_id>/set_payment_method", intents.SetPaymentMethod.as_view()),
    path("payment_intents/<id:intent_id>/cancel", intents.Cancel.as_view()),
    path("freight_tokens/<id:token_id>", tokens.FreightTokenDetail.as_view()),
    path("recipients/<visible:recipient_id>", recipients.RecipientDetail.as_view()),
    path("webhooks/stripe", stripe_events.StripeWebhook.as_view()),
    path("audit/shipments/<visible:shipment_id>", audit.ShipmentAudit.as_view()),
    path("audit/payment_intents/<id:intent_id>/milestones", audit.IntentMilestones.as_view()),
    path("audit/milestones/<id:milestone_id>", audit.MilestoneAudit.as_view()),
    *(path(f"exports/{each.name}.csv", exports.endpoint_of(each).as_view()) for each in KNOWN.values()),
    path("whoami", Whoami.as_view()),
    path("healthz", Healthz.as_view()),
]

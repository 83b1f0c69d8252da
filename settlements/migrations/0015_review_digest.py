from django.db import migrations, models


class Migration(migrations.Migration):
    """Subscribers of the platform may be told of the review queue; who subscribed before is told of nothing more."""

    dependencies = [
        ('settlements', '0014_intents_of_a_recipient'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='delivery',
            name='news_tell_of_an_audit_event',
        ),
        migrations.RemoveConstraint(
            model_name='subscriber',
            name='a_subscriber_is_told_of_known_events',
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('audit_event__isnull', True), ('event_type', 'ping'), ('settlement__isnull', True)), models.Q(('audit_event__isnull', False), ('event_type__in', ['settlement.created', 'settlement.delayed', 'settlement.review_required', 'settlement.approved', 'settlement.settled', 'settlement.failed', 'settlement.returned', 'settlement.rejected', 'settlement.cancelled']), ('settlement__isnull', False)), models.Q(('audit_event__isnull', True), ('event_type__in', ['review.digest']), ('settlement__isnull', True), models.Q(('payload', ''), _negated=True)), _connector='OR'), name='news_tell_of_an_audit_event'),
        ),
        migrations.AddConstraint(
            model_name='subscriber',
            constraint=models.CheckConstraint(condition=models.Q(('event_types__contained_by', ['settlement.created', 'settlement.delayed', 'settlement.review_required', 'settlement.approved', 'settlement.settled', 'settlement.failed', 'settlement.returned', 'settlement.rejected', 'settlement.cancelled', 'review.digest']), ('event_types__len__gte', 1)), name='a_subscriber_is_told_of_known_events'),
        ),
        migrations.AddConstraint(
            model_name='subscriber',
            constraint=models.CheckConstraint(condition=models.Q(('carrier_id', ''), models.Q(('event_types__overlap', ['review.digest']), _negated=True), _connector='OR'), name='a_carrier_is_told_of_its_settlements_alone'),
        ),
    ]

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Holding, assigning and noting have scopes of their own, which only a person's key holds."""

    dependencies = [
        ('settlements', '0020_only_staff_decides'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='apikey',
            name='only_a_user_decides',
        ),
        migrations.RemoveConstraint(
            model_name='apikey',
            name='scopes_are_known',
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('user__isnull', False), models.Q(('scopes__overlap', ['compliance:assign', 'compliance:decide', 'compliance:hold', 'compliance:note']), _negated=True), _connector='OR'), name='only_a_user_decides'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['audit:read', 'compliance:assign', 'compliance:decide', 'compliance:hold', 'compliance:note', 'compliance:read', 'intents:cancel', 'intents:complete', 'intents:read', 'intents:settle', 'intents:write', 'recipients:read', 'recipients:write', 'tokens:read', 'tokens:write']), ('scopes__len__gte', 1)), name='scopes_are_known'),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """A reason is more than spaces, and a hold names who placed it."""

    dependencies = [
        ('settlements', '0018_four_eyes_limits'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='approval',
            name='a_decision_has_a_reason',
        ),
        migrations.RemoveConstraint(
            model_name='hold',
            name='a_hold_has_a_reason',
        ),
        migrations.RemoveConstraint(
            model_name='hold',
            name='lifting_has_a_reason',
        ),
        migrations.AddConstraint(
            model_name='approval',
            constraint=models.CheckConstraint(condition=models.Q(('reason__regex', '[^[:space:]]')), name='a_decision_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('reason__regex', '[^[:space:]]')), name='a_hold_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('placed_by__regex', '[^[:space:]]')), name='a_hold_names_who_placed_it'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('lifted_at__isnull', True), models.Q(('lift_reason__regex', '[^[:space:]]'), ('lifted_by__regex', '[^[:space:]]')), _connector='OR'), name='lifting_has_a_reason'),
        ),
    ]

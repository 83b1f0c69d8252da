
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rails', '0073_parts_are_told_later'),
    ]

    operations = [
        migrations.AddField(
            model_name='raildifference',
            name='amount_minor',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='raildifference',
            name='currency',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
        migrations.AddField(
            model_name='raildifference',
            name='returned_minor',
            field=models.BigIntegerField(blank=True, null=True),
        ),
    ]

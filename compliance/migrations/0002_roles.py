from django.conf import settings
from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """The groups of staff with their permissions, as the table in compliance/roles.py has them."""

    dependencies = [
        ("compliance", "0001_review_queue"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("rails", "0002_postings_share_one_currency"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up the four-eyes limits."""

    dependencies = [('compliance', '0009_digest'), ("settlements", "0018_four_eyes_limits")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

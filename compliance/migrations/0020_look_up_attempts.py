from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up destinations, attempts and what providers said of them."""

    dependencies = [("compliance", "0019_rail_permissions"), ("rails", "0005_attempts")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

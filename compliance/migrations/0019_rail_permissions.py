from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """What is done about money at banks and providers becomes permissions of the roles."""

    dependencies = [("compliance", "0018_four_eyes_limits"), ("settlements", "0023_rail_permissions")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

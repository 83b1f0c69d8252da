from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Exports, closing days and resolving differences become permissions of the roles."""

    dependencies = [("compliance", "0033_look_up_wires"), ("settlements", "0033_office_events")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

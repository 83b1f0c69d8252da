from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up which audit events are archived, and in which file."""

    dependencies = [("compliance", "0051_look_up_stripe_decisions"), ("settlements", "0090_audit_archives")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role can look subscribers and deliveries up."""

    dependencies = [("compliance", "0003_integrations"), ("settlements", "0009_subscribers")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

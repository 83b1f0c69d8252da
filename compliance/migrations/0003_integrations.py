from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Operations manages integrations; every role can look the new tables up."""

    dependencies = [("compliance", "0002_roles"), ("settlements", "0007_api_keys")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

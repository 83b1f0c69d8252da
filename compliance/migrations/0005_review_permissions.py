from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Assigning, annotating and overseeing become permissions of the roles."""

    dependencies = [('compliance', '0004_subscribers'), ("settlements", "0012_review_permissions")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

from django.apps import AppConfig


class DatabaseConfig(AppConfig):
    """Without models: it brings `migrate` as it is run here, and `database_roles`."""

    name = "chainpay.database"
    label = "database"
    verbose_name = "Database"

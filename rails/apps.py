from django.apps import AppConfig


class RailsConfig(AppConfig):
    name = "rails"
    default_auto_field = "django.db.models.BigAutoField"

from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "compliance"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Compliance"

    def ready(self) -> None:
        from compliance import exported_reviews  # noqa: F401

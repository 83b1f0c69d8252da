"""Django's settings, all of them from `chainpay.environment`."""

import logging
import os
from pathlib import Path

import environ as django_environ
from django.templatetags.static import static
from django.urls import reverse_lazy
from kombu.entity import Exchange, Queue

from chainpay import environment
from chainpay.headers import PAGES
from chainpay.navigation import SIDEBAR

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = environment.read(BASE_DIR)

DEBUG = False
SECRET_KEY = ENVIRONMENT.secret_key
CHAINPAY_ENCRYPTION_KEYS = ENVIRONMENT.encryption_keys
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
CSRF_TRUSTED_ORIGINS = ENVIRONMENT.csrf_trusted_origins

CHAINPAY_DEMO = ENVIRONMENT.demo
CHAINPAY_HOLD_SECONDS = ENVIRONMENT.hold_seconds
CHAINPAY_DESTINATION_HOLD_HOURS = ENVIRONMENT.destination_hold_hours
CHAINPAY_SWEEP_SECONDS = ENVIRONMENT.sweep_seconds
CHAINPAY_SUBMIT_SECONDS = ENVIRONMENT.submit_seconds
CHAINPAY_RECONCILE_SECONDS = ENVIRONMENT.reconcile_seconds
CHAINPAY_COMPARE_SECONDS = ENVIRONMENT.compare_seconds
CHAINPAY_DELIVERY_SECONDS = ENVIRONMENT.delivery_seconds
CHAINPAY_DIGEST_SECONDS = ENVIRONMENT.digest_seconds
CHAINPAY_DIGEST_TO = ENVIRONMENT.digest_to
CHAINPAY_BASE_URL = ENVIRONMENT.base_url
CHAINPAY_REVIEW_TARGET_HOURS = ENVIRONMENT.review_target_hours
CHAINPAY_REQUESTS_PER_SECOND = ENVIRONMENT.requests_per_second
CHAINPAY_FOUR_EYES_ABOVE = ENVIRONMENT.four_eyes_above
CHAINPAY_EVIDENCE_MAX_BYTES = ENVIRONMENT.evidence_max_bytes
CHAINPAY_EXPORTS_DIR = ENVIRONMENT.exports_dir
CHAINPAY_EXPORT_STREAMS = ENVIRONMENT.export_streams
CHAINPAY_CHECKPOINT_KEY = ENVIRONMENT.checkpoint_key
CHAINPAY_CHECKPOINT_FORMER_KEYS = ENVIRONMENT.checkpoint_former_keys
CHAINPAY_CHECKPOINT_SECONDS = ENVIRONMENT.checkpoint_seconds
CHAINPAY_CHECKPOINTS_DIR = ENVIRONMENT.checkpoints_dir
CHAINPAY_ARCHIVES_DIR = ENVIRONMENT.archives_dir
CHAINPAY_ARCHIVE_AFTER_DAYS = ENVIRONMENT.archive_after_days
CHAINFREIGHT_URL = ENVIRONMENT.chainfreight_url
CHAINFREIGHT_TIMEOUT_SECONDS = ENVIRONMENT.chainfreight_timeout_seconds
CHAINPAY_IDLE_MINUTES = ENVIRONMENT.idle_minutes
CHAINPAY_SESSION_HOURS = ENVIRONMENT.session_hours
CHAINPAY_RECENT_LOGIN_MINUTES = ENVIRONMENT.recent_login_minutes
CHAINPAY_LOGIN_FAILURES = ENVIRONMENT.login_failures
CHAINPAY_LOCKOUT_MINUTES = ENVIRONMENT.lockout_minutes
CHAINPAY_TRUSTED_PROXIES = ENVIRONMENT.trusted_proxies
ACH = ENVIRONMENT.ach
WIRE = ENVIRONMENT.wire
CHAINPAY_STRIPE = ENVIRONMENT.stripe
CHAINPAY_OPERATION = ENVIRONMENT.operation
# prometheus_client looks at it once, when it is imported; nothing of it may be before.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(CHAINPAY_OPERATION.metrics_dir)

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "chainpay.staff_site.StaffSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "pgtrigger",
    "csp",
    "rest_framework",
    "drf_spectacular_sidecar",
    "rails",
    "settlements",
    "compliance",
    "chainpay.access",
    "chainpay.operation",
    "chainpay.database",
]

MIDDLEWARE = [
    "settlements.api.request_ids.RequestIdMiddleware",
    "chainpay.operation.requests_seen.RequestsSeen",
    "chainpay.headers.Headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "chainpay.pages.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "chainpay.pages.Logins",
    "chainpay.pages.Messages",
    "allauth.account.middleware.AccountMiddleware",
    "chainpay.access.sessions.SessionLimits",
    "chainpay.access.gate.SecondFactorGate",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "chainpay.urls"

# Logging in, by django-allauth with pages of our own. Its rate limits count in a cache; chainpay/access/lockout.py
# counts in the database instead, so that nobody gets unlimited guesses while Redis is away.
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "admin:index"
ACCOUNT_ADAPTER = "chainpay.access.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGIN_TIMEOUT = 5 * 60
ACCOUNT_FORMS = {"login": "chainpay.access.forms.LoginForm", "reauthenticate": "chainpay.access.forms.ConfirmForm"}
MFA_ADAPTER = "chainpay.access.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_RATE_LIMITS = False
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "ChainPay"
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {"authenticate": "chainpay.access.forms.CodeForm", "activate_totp": "chainpay.access.forms.ActivateForm"}

WSGI_APPLICATION = "chainpay.wsgi.application"
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "settlements.api.error_pages.csrf_failure"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["settlements.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["settlements.api.rendering.OrjsonRenderer"],
    "EXCEPTION_HANDLER": "settlements.api.errors.exception_handler",
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

UNFOLD = {
    "SITE_TITLE": "ChainPay",
    "SITE_HEADER": "ChainPay",
    "SITE_SUBHEADER": "Freight settlement",
    "SITE_SYMBOL": "local_shipping",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "chainpay.staff_site.environment",
    "STYLES": [
        lambda request: static("compliance/theme.css"),
        lambda request: static("compliance/review.css"),
        lambda request: static("compliance/admin.css"),
        lambda request: static("access/access.css"),
        lambda request: static("compliance/item.css"),
    ],
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("compliance/icon.svg")},
    ],
    "SIDEBAR": SIDEBAR,
    "DASHBOARD_CALLBACK": "compliance.dashboard_page.front_page",
    "ACCOUNT": {
        "navigation": [
            {"title": "Second factor", "link": reverse_lazy("mfa_index")},
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
        ]
    },
}

_database = django_environ.Env.db_url_config(ENVIRONMENT.database_url)
_database_options = _database.pop("OPTIONS", {})
DATABASES = {
    "default": {
        **_database,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
        "DISABLE_SERVER_SIDE_CURSORS": False,
        "OPTIONS": {
            "application_name": "chainpay",
            # A database host that is gone without a word is noticed in seconds, not when TCP gives up after a quarter
            # of an hour; over a local socket these do nothing. What the URL says goes before them.
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,
            "keepalives": 1,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            **_database_options,
            "server_side_binding": True,
            "prepare_threshold": 5,
            # One plan per prepared statement: planning the same ones again costs an event a third of its time.
            # No compiling either: the queue's statement is estimated dear, and compiling it costs more than it takes.
            "options": "-c plan_cache_mode=force_generic_plan -c jit=off",
        },
    }
}
# As whom migrations run; nothing where the service itself owns the database (docs/adr/0077-database-roles.md).
CHAINPAY_DATABASE_OWNER = (
    django_environ.Env.db_url_config(ENVIRONMENT.database_owner_url) if ENVIRONMENT.database_owner_url else None
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# EMAIL_BACKEND, EMAIL_HOST and the like, out of EMAIL_URL.
globals().update(ENVIRONMENT.mail)
EMAIL_TIMEOUT = 10  # seconds for each answer of the mail server
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENVIRONMENT.mail_from

LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = ["chainpay.formats"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.var / "static"
# Development and the demo serve static files where the apps keep them; `collectstatic` is a step of deployment only.
WHITENOISE_USE_FINDERS = ENVIRONMENT.embedded_database or ENVIRONMENT.demo

# Evidence may lie elsewhere: any storage of Django that overwrites a name it is given twice (docs/runbook.md).
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "evidence": {
        "BACKEND": "compliance.evidence_storage.PrivateFiles",
        "OPTIONS": {"location": ENVIRONMENT.evidence_dir},
    },
}
# Files are taken on the pages for evidence and bank files only; everywhere else they are read over and forgotten.
FILE_UPLOAD_HANDLERS = ["compliance.uploads.ExpectedOnly"]

# 64 KiB of JSON; the admin's forms are smaller still.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000

# Outside the demo staff pages travel over TLS only, ended by the proxy in front.
_secure = not ENVIRONMENT.demo
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _secure
SECURE_HSTS_PRELOAD = _secure
SESSION_COOKIE_SECURE = _secure
CSRF_COOKIE_SECURE = _secure
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = ENVIRONMENT.session_hours * 3600
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = PAGES
SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # the proxy in front redirects to https; the probes of /healthz come in plain http
]

# Nobody reads these of our log lines, and each costs every line a system call or a look-up.
logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "chainpay.operation.logs.Json"},
        "line": {
            "()": "chainpay.operation.logs.Redacting",
            "fmt": "{asctime} {levelname} {name} [{request_id}] {message}",
            "style": "{",
        },
    },
    "filters": {
        "request_id": {"()": "settlements.api.request_ids.RequestIdFilter"},
        "refusals": {"()": "chainpay.operation.logs.Refusals"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": CHAINPAY_OPERATION.log_format,
            "filters": ["request_id", "refusals"],
        }
    },
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level},
    # The warnings of urllib3 repeat whole URLs, and a query may hold a secret; Stripe's library logs whole answers.
    "loggers": {
        "urllib3": {"level": "ERROR"},
        "stripe": {"level": "WARNING"},
        # A line for each answer is for machines; people read what happened.
        "chainpay.requests": {"level": "INFO" if CHAINPAY_OPERATION.log_format == "json" else "WARNING"},
    },
}

CELERY_BROKER_URL = ENVIRONMENT.redis_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 600
# What takes minutes waits in a queue of its own, so that money never waits behind it; a worker that is told of no queue
# takes from both (docs/adr/0076-two-queues.md).
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name)  # type: ignore[no-untyped-call]
    for name in ("celery", "long")
]
CELERY_TASK_ROUTES = {
    f"settlements.{task}": {"queue": "long"} for task in ("compare", "export", "reconcile", "verify_books")
}
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "chainpay.timetable:Timetable"

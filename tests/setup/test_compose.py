"""docker-compose.yml says what can run, and offers the settings that the service reads: all of them, and no others."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import environ
import pytest
import yaml
from django.urls import reverse

from chainpay import environment
from chainpay.celery import app
from chainpay.deploy import new_secrets
from chainpay.embedded.run import web_command
from compliance.uploads import PAGES
from settlements.api.codes import CODES

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {name: service for name, service in SERVICES.items() if service.get("image") == "chainpay"}
INSTALLING: Final = (ROOT / "docs/installing.md").read_text()
NGINX: Final = (ROOT / "chainpay/deploy/nginx.conf").read_text()

# The image decides where it writes and on which port it answers; the rest is of the demo and of tests.
NOT_OFFERED: Final = {"CHAINPAY_DEMO", "CHAINPAY_VAR", "PORT", "STRIPE_API_BASE"}

# What somebody who installs it writes into .env; every method enabled, for all their settings to be read.
WRITTEN: Final = {
    "ALLOWED_HOSTS": "pay.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://pay.example.com",
    "ACH_OUTBOX_DIR": "/app/ach/outbox",
    "ACH_INBOX_DIR": "/app/ach/inbox",
    "ACH_COMPANY_NAME": "Example Freight",
    "ACH_COMPANY_ID": "1999999999",
    "ACH_ODFI_ROUTING": "021000021",
    "ACH_IMMEDIATE_DESTINATION_NAME": "Example Bank",
    "ACH_OFFSET_ACCOUNT": "4412345678",
    "WIRE_OUTBOX_DIR": "/app/wire/outbox",
    "WIRE_INBOX_DIR": "/app/wire/inbox",
    "WIRE_DEBTOR": '{"name": "Example Freight", "town": "New York", "country": "US"}',
    "WIRE_ACCOUNTS": '{"USD": {"account_number": "4412345678", "routing_number": "021000021"}}',
}
_VARIABLE: Final = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<rule>[-?])(?P<default>[^}]*))?\}")


def surroundings(service: dict[str, Any], written: dict[str, str]) -> dict[str, str]:
    """The environment that compose gives to a service: what has no value is passed on if it is written anywhere."""

    def filled(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"] if found["rule"] == "-" else ""
        return written.get(name) or default

    given = {}
    for name, value in service["environment"].items():
        if value is not None:
            given[name] = _VARIABLE.sub(filled, str(value))
        elif name in written:
            given[name] = written[name]
    return given


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of what the settings look up in the environment, from now on."""
    names: set[str] = set()
    get_value = environ.Env.get_value

    def noting(self: environ.Env, var: str, *rest: Any, **more: Any) -> Any:
        names.add(var)
        return get_value(self, var, *rest, **more)

    monkeypatch.setattr(environ.Env, "get_value", noting)
    return names


def start_as(service: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> environment.Environment:
    given = surroundings(service, WRITTEN)
    new_secrets.main(tmp_path / "secrets")
    assert all(given[name] for name in given if name.endswith("_FILE"))
    reached = {name: value.replace("/run/secrets", str(tmp_path / "secrets")) for name, value in given.items()}
    assert {Path(value).name for value in given.values() if "/run/secrets/" in value} <= set(service["secrets"])
    monkeypatch.setattr(environ.Env, "ENVIRON", reached)
    return environment.read(tmp_path)


def test_every_service_has_an_image_or_is_built() -> None:
    assert [name for name, service in SERVICES.items() if not (service or {}).keys() & {"image", "build"}] == []
    assert {"web", "worker", "beat", "migrate", "postgres", "redis"} <= SERVICES.keys()


def test_every_service_that_is_waited_for_exists_and_can_be_healthy_if_it_must_be() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in SERVICES
            told = "build" in SERVICES[name] or "healthcheck" in SERVICES[name]
            assert how["condition"] != "service_healthy" or told
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()


def test_every_volume_is_declared_and_every_declared_one_is_used() -> None:
    assert (ROOT / "chainpay/deploy/nginx.conf").exists()
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {name for name in mounts if not name.startswith((".", "/"))} == COMPOSE["volumes"].keys()


@pytest.mark.parametrize("name", OURS)
def test_a_service_starts_with_what_compose_gives_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = start_as(OURS[name], monkeypatch, tmp_path)
    assert not settings.embedded_database
    assert not settings.demo
    assert len(settings.encryption_keys) == 2
    assert settings.database_url.startswith("postgresql://chainpay_app:")
    assert settings.ach is not None
    assert settings.wire is not None
    assert settings.allowed_hosts == ["pay.example.com", "web"]


@pytest.mark.parametrize("name", OURS)
def test_compose_offers_every_setting_that_is_read_and_no_other(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked_for: set[str]
) -> None:
    start_as(OURS[name], monkeypatch, tmp_path)
    owner = {"DATABASE_OWNER_URL"} if name != "migrate" else set()
    offered = {each.removesuffix("_FILE") for each in OURS[name]["environment"]}
    assert offered == asked_for - NOT_OFFERED - owner
    assert asked_for >= NOT_OFFERED


def test_what_compose_can_not_do_without_is_told_where_installing_is_told() -> None:
    needed = {found["name"] for found in _VARIABLE.finditer(str(SERVICES)) if found["rule"] == "?"}
    assert needed == {name for name in WRITTEN if not name.startswith(("ACH_", "WIRE_"))}
    assert [name for name in sorted(needed) if f"    {name}=" not in INSTALLING] == []


def test_files_that_outlive_a_container_lie_on_volumes_of_web_and_worker() -> None:
    for name in ("web", "worker", "worker-long"):
        places = {mount.split(":")[1] for mount in OURS[name]["volumes"]}
        kept = {value for key, value in OURS[name]["environment"].items() if key.endswith("_DIR") and value}
        assert kept <= places


def test_archives_are_read_by_web_and_workers_and_written_by_the_owner_of_the_database_alone() -> None:
    mounts = {
        name: [mount for mount in service.get("volumes", []) if "/app/archives" in mount]
        for name, service in OURS.items()
    }
    assert mounts.pop("migrate") == ["archives:/app/archives"]
    assert mounts.pop("beat") == []
    assert set(map(tuple, mounts.values())) == {("archives:/app/archives:ro",)}


def test_beat_keeps_on_a_volume_what_it_woke_when() -> None:
    words = OURS["beat"]["command"].split()
    places = [mount.split(":")[1] for mount in OURS["beat"]["volumes"]]
    assert [str(Path(words[words.index("--schedule") + 1]).parent)] == places


def test_what_volumes_are_mounted_over_belongs_to_whoever_writes_there() -> None:
    (made,), (owned,) = (
        [set(found.split()) for found in re.findall(words, (ROOT / "Dockerfile").read_text())]
        for words in (r"mkdir -p (.+) \\\n", r"chown -R chainpay (.+)\n")
    )
    assert {place.split("/")[0] for place in made} == owned
    mounts = [mount.split(":") for service in OURS.values() for mount in service.get("volumes", [])]
    assert {place.removeprefix("/app/") for _, place, *_ in mounts} <= owned


def test_bodies_that_wait_at_the_proxy_take_half_of_its_memory_at_most() -> None:
    (place,) = SERVICES["nginx"]["tmpfs"]
    size = re.fullmatch(r"/tmp:size=(\d+)m,mode=1777", place)
    assert size is not None
    assert 2 * int(size[1]) <= int(SERVICES["nginx"]["mem_limit"].removesuffix("m"))


def test_the_proxy_takes_large_bodies_where_files_are_posted_and_nowhere_else() -> None:
    large = re.findall(
        r'location ~ "(\S+)" \{\s+client_max_body_size 12m;\s+limit_conn addresses 64;\s+limit_conn uploads 4;', NGINX
    )
    assert len(large) == 1
    assert NGINX.count("client_max_body_size") == 2
    assert "\n    client_max_body_size 128k;\n" in NGINX
    for page in PAGES:
        address = reverse(f"admin:{page}", args=[12] if "reviewqueue" in page else [])
        assert re.search(large[0], address), address
    assert not re.search(large[0], "/webhooks/shipment_event")
    assert not re.search(large[0], "/admin/compliance/reviewqueue/12/evidence/3/")


def test_the_proxy_takes_the_largest_evidence_that_is_allowed_without_a_setting(settings: Any) -> None:
    assert settings.CHAINPAY_EVIDENCE_MAX_BYTES + 1024 * 1024 <= 12 * 1024 * 1024


@pytest.mark.parametrize("address", ["/metrics", "/readyz"])
def test_what_is_for_the_inside_alone_is_not_passed_on(address: str) -> None:
    assert re.search(rf"location = {address} {{\s+return 404;\s+}}", NGINX)


def test_the_proxy_refuses_in_the_shape_of_every_error() -> None:
    bodies = re.findall(r"return (\d+) '([^']+)';", NGINX)
    assert len(bodies) == 4
    assert NGINX.count("error_page 500 502 504 ") == 2
    for status, body in bodies:
        told = json.loads(body)
        assert list(told) == ["code", "detail", "field", "request_id"]
        assert CODES[told["code"]].status == int(status)
        assert (told["field"], told["request_id"]) == (None, "$request_id")


def test_the_proxy_finds_a_web_server_that_was_made_anew_and_logs_no_query_strings() -> None:
    assert re.search(r"resolver 127\.0\.0\.11 valid=\ds;", NGINX)
    assert re.search(r"upstream web {\s+zone web 64k;\s+server web:8003 resolve;", NGINX)
    (words,) = re.findall(r"log_format short (.+?);", NGINX, re.DOTALL)
    assert "access_log /dev/stdout short;" in NGINX
    assert set(re.findall(r"\$(\w+)", words)) == {
        *("remote_addr", "time_iso8601", "request_method", "uri"),
        *("status", "body_bytes_sent", "request_time", "sent_http_x_request_id"),
    }


def test_secrets_are_kept_by_their_directory_and_readable_for_containers_whatever_the_umask(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    place.mkdir(mode=0o755)
    before = os.umask(0o077)
    try:
        new_secrets.main(place)
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in place.iterdir()} == {0o444}


def test_there_is_a_worker_for_each_queue() -> None:
    commands = [service["command"].split() for service in OURS.values() if " worker " in service.get("command", "")]
    assert sorted(words[words.index("--queues") + 1] for words in commands) == sorted(app.amqp.queues)


def test_the_owner_of_the_database_is_known_to_the_migration_alone() -> None:
    assert [name for name, service in OURS.items() if "database_owner_url" in service["secrets"]] == ["migrate"]
    holders = [name for name, service in SERVICES.items() if "database_owner_password" in service.get("secrets", [])]
    assert holders == ["postgres"]


def test_every_secret_is_a_file_that_somebody_mounts_and_installing_makes(tmp_path: Path) -> None:
    mounted = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert mounted == COMPOSE["secrets"].keys()
    assert {each["file"] for each in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in mounted}
    assert mounted == new_secrets.MADE.keys() | {"tls_certificate", "tls_key"}
    new_secrets.main(tmp_path / "secrets")
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert made["database_owner_password"] in made["database_owner_url"]
    new_secrets.main(tmp_path / "secrets")
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made


def test_nobody_may_write_into_its_own_files_or_gain_rights() -> None:
    for service in SERVICES.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]


def test_the_proxy_alone_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]


def test_every_image_is_of_a_version() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert [image for image in images if not re.fullmatch(r"[a-z/-]+:[0-9][0-9a-z.-]*", image)] == []


def test_whoever_stops_is_given_longer_than_what_it_has_begun_may_take() -> None:
    image, command = (ROOT / "Dockerfile").read_text(), web_command(8003)
    seconds = str(command[command.index("--workers-kill-timeout") + 1])
    assert f'"--workers-kill-timeout", "{seconds}"' in image
    assert "STOPSIGNAL SIGTERM" in image
    assert _seconds(SERVICES["web"]["stop_grace_period"]) > int(seconds)
    assert _seconds(SERVICES["worker"]["stop_grace_period"]) > app.conf.task_time_limit


def _seconds(written: str) -> int:
    return int(written[:-1]) * {"s": 1, "m": 60}[written[-1]]

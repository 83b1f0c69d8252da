"""How Stripe says no."""

from typing import Any


class ApiError(Exception):
    """An answer other than success; `stored` says whether Stripe keeps it under the idempotency key."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = "parameter_invalid",
        param: str | None = None,
        stored: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        error = {"type": kind, "message": message, "code": code, "param": param}
        self.body: dict[str, Any] = {"error": {name: value for name, value in error.items() if value is not None}}


def unknown(param: str) -> ApiError:
    """A parameter that the endpoint does not have."""
    return ApiError(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def missing(param: str) -> ApiError:
    """A parameter that the endpoint wants."""
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)


def no_such(what: str, number: str, *, param: str, status: int = 404) -> ApiError:
    """An object that is not there, or not there for this account."""
    return ApiError(status, f"No such {what}: '{number}'", code="resource_missing", param=param)


def internal() -> ApiError:
    """Stripe's own fault, kept under the idempotency key like any other result."""
    return ApiError(
        500,
        "An unknown error occurred. If this happens again, write to support.",
        kind="api_error",
        code=None,
        stored=True,
    )

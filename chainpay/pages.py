"""Middleware for people: the admin needs it, the API, whose callers show keys and signatures, does without."""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin


class ForPeople(MiddlewareMixin):
    """Mixed in before a middleware: requests that are not of the admin pass it by."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith("/admin"):
            return super().__call__(request)
        return self.get_response(request)


class Sessions(ForPeople, SessionMiddleware):
    """Django's sessions."""


class Logins(ForPeople, AuthenticationMiddleware):
    """Django's `request.user`."""


class Messages(ForPeople, MessageMiddleware):
    """Django's messages."""

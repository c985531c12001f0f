"""A page that asks everything there is to ask, and one that breaks; for the tests of traces and crash reports."""

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from apps.common.enqueue import enqueue


def ask(request: HttpRequest, token: str) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [token])
        cursor.execute(f"LISTEN upload_{'a' * 32}")
    cache.get(token)
    enqueue("accounts.clear_sessions")
    return HttpResponse("asked")


def crash(request: HttpRequest, token: str) -> HttpResponse:
    password = "hunter" + str(2) + "-in-a-local-variable"  # the source is reported, what it makes is not
    raise ArithmeticError(f"no way at /t/{token} ({len(password)})")


urlpatterns = [
    path("t/<str:token>", ask),
    path("t/<str:token>/crash", crash),
    path("", include("project.urls")),
]
handler500 = "apps.common.views.server_error"

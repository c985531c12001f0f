"""Routes for tests: work of a chosen length, with and without a database connection, and a front page that may fail."""

import os
import signal
import time
from pathlib import Path

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from apps.lifecycle import drain


def pid(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"pid": os.getpid()})


def sleep(request: HttpRequest, milliseconds: int) -> HttpResponse:
    time.sleep(milliseconds / 1000)
    return HttpResponse("done")


def query(request: HttpRequest, milliseconds: int) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("select pg_sleep(%s)", [milliseconds / 1000])
    return HttpResponse("done")


def until_hand_over(request: HttpRequest) -> HttpResponse:
    began = time.monotonic()
    while not drain.should_hand_over() and time.monotonic() - began < 30:
        time.sleep(0.01)
    return JsonResponse({"handed_over": drain.should_hand_over(), "seconds": time.monotonic() - began})


@csrf_exempt
def body(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"length": len(request.read())})


def die(request: HttpRequest) -> HttpResponse:
    os.kill(os.getpid(), signal.SIGKILL)
    return HttpResponse()


def status(request: HttpRequest, code: int) -> HttpResponse:
    return HttpResponse(status=code)


def leave(request: HttpRequest) -> HttpResponse:
    raise SystemExit  # what no middleware turns into an answer


def front_page(request: HttpRequest) -> HttpResponse:
    """Only where FRONT_PAGE names a folder: `asked` there tells of each request, `broken` there makes it fail."""
    if "FRONT_PAGE" not in os.environ:
        raise Http404
    folder = Path(os.environ["FRONT_PAGE"])
    with (folder / "asked").open("a") as asked:
        asked.write(f"{request.method} {request.build_absolute_uri()} {request.headers['Accept']}\n")
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    if (folder / "broken").exists():
        raise ArithmeticError("a secret of the release")
    return HttpResponse("welcome")


urlpatterns = [
    path("", front_page, name="front"),
    path("status/<int:code>", status, name="status"),
    path("leave", leave, name="leave"),
    path("pid", pid, name="pid"),
    path("sleep/<int:milliseconds>", sleep, name="sleep"),
    path("query/<int:milliseconds>", query, name="query"),
    path("until-hand-over", until_hand_over, name="until-hand-over"),
    path("body", body, name="body"),
    path("die", die, name="die"),
    path("", include("apps.lifecycle.urls")),
]

"""Routes for tests: work of a chosen length, with and without a database connection."""

import os
import signal
import time

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
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


urlpatterns = [
    path("pid", pid, name="pid"),
    path("sleep/<int:milliseconds>", sleep, name="sleep"),
    path("query/<int:milliseconds>", query, name="query"),
    path("until-hand-over", until_hand_over, name="until-hand-over"),
    path("body", body, name="body"),
    path("die", die, name="die"),
    path("", include("apps.lifecycle.urls")),
]

"""Owns the shape of an error on the wire: JSON for programs, a page for people."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from apps.common.errors import DATABASE_ERRORS, SpillwayError, Words

_PROGRAM_PATHS = ("/files/", "/transfers/", "/api/")


def wants_json(request: HttpRequest) -> bool:
    """Whether whoever asks is a program: by path, or because it prefers JSON to HTML."""
    if request.path.startswith(_PROGRAM_PATHS) or "Tus-Resumable" in request.headers:
        return True
    try:
        return request.get_preferred_type(["text/html", "application/json"]) == "application/json"
    except ValueError:
        # A parameter in a made-up encoding: nobody who could read JSON wrote that.
        return False


def error_response(request: HttpRequest, error: SpillwayError) -> HttpResponse:
    """The response to a refusal, with its headers and the request id."""
    identity = str(getattr(request, "request_id", ""))
    response: HttpResponse
    if request.method == "PUT" and not request.path.startswith(_PROGRAM_PATHS):
        # Of `curl -T`: read on a terminal, where what is not a link must be one line that says why.
        response = HttpResponse(
            f"{error.text} {error.what_to_do}\n",
            status=error.status,
            content_type="text/plain; charset=utf-8",
        )
    elif wants_json(request):
        body = {"code": error.code, "message": error.text, "request_id": identity, **error.data}
        response = JsonResponse({"error": body}, status=error.status)
    else:
        response = error_page(
            request,
            status=error.status,
            code=error.code,
            message=error.text,
            what_to_do=error.what_to_do,
            title=error.title,
        )
    for name, value in error.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response


_TITLES = {
    400: _("That did not work"),
    401: _("Please sign in"),
    403: _("Not allowed"),
    404: _("Nothing here"),
    410: _("This link has expired"),
    411: _("That did not work"),
    413: _("Too large"),
    429: _("Slow down a little"),
    503: _("Back in a moment"),
    507: _("No space left"),
}


def error_page(
    request: HttpRequest, *, status: int, code: str, message: Words, what_to_do: Words, title: Words = ""
) -> HttpResponse:
    """The page that says what happened, what it means and what to do."""
    context = {
        "status": status,
        "code": code,
        "title": title or _TITLES.get(status, _("Something went wrong")),
        "message": message,
        "what_to_do": what_to_do,
        "request_id": str(getattr(request, "request_id", "")),
    }
    return render(_asker(request, status), "error.html", context, status=status)


def _asker(request: HttpRequest, status: int) -> HttpRequest | None:
    """The request, unless asking who is looking could fail: that needs the database, which may be what is gone."""
    if status >= 500:
        return None
    try:
        # Read now, while a failure can still be answered: the template would ask for it in the middle of a page.
        _ = getattr(request, "user", None) and request.user.is_authenticated
    except DATABASE_ERRORS:
        return None
    return request

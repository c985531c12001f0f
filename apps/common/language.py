"""Owns which language a request is answered in: the reader's choice, else the browser's, for every answer alike."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


class LanguageMiddleware(LocaleMiddleware):
    """Django's, told that the choice is in a cookie. Before whoever refuses: a thread keeps its last language."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:  # type: ignore[override]  # Django's is typed too widely
        """What is kept under one address differs by both headers that the language comes from."""
        answer = super().process_response(request, response)
        patch_vary_headers(answer, ("Cookie",))
        return answer  # type: ignore[return-value]  # Django's is typed too widely


@require_POST
@csrf_exempt
def language_choose(request: HttpRequest) -> HttpResponse:
    """Keep the language in a cookie and go back to the page.

    Anybody may send this form: it changes nothing but words, and pages that are the same for all have no token for it.
    """
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = HttpResponseRedirect(back if safe else "/", status=303)
    language = request.POST.get("language", "")
    if translation.check_for_language(language) and language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite="Lax",
        )
    return response

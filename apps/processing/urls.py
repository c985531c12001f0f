"""The addresses of archives and previews. `/z/...` and `/p/...` are the file server's; only the questions are here."""

from django.urls import path

from apps.processing.views import archives, previews

app_name = "processing"
urlpatterns = [
    path("t/<token:token>/archives", archives.collection, name="archives"),
    path("t/<token:token>/archives/<uuid:archive_id>", archives.archive, name="archive"),
    path("t/<token:token>/files/<uuid:file_id>", previews.file, name="file"),
    path("internal/archive", archives.question, name="archive_question"),
    path("internal/preview", previews.question, name="preview_question"),
]

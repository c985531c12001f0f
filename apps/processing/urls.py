"""The addresses of archives and previews. `/z/` and `/p/` are here for where no proxy asks the questions before it."""

from django.urls import path

from apps.processing.views import archives, previews

app_name = "processing"
urlpatterns = [
    path("t/<token:token>/archives", archives.collection, name="archives"),
    path("t/<token:token>/archives/<uuid:archive_id>", archives.archive, name="archive"),
    path("t/<token:token>/files/<uuid:file_id>", previews.file, name="file"),
    path("z/<token:token>/<uuid:archive_id>", archives.download, name="archive_download"),
    path("p/<token:token>/<uuid:preview_id>", previews.show, name="preview_show"),
    path("internal/archive", archives.question, name="archive_question"),
    path("internal/preview", previews.question, name="preview_question"),
]

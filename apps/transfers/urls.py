"""The addresses of transfers. `/d/...` is the file server's; only the question about a download is here."""

from django.urls import path, register_converter

from apps.transfers.views import download, manage, receive, send


class TokenConverter:
    """A link's token; what cannot be one never reaches the database."""

    regex = "[A-Za-z0-9_-]{16,64}"

    def to_python(self, value: str) -> str:
        """As it is."""
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


register_converter(TokenConverter, "token")

app_name = "transfers"
urlpatterns = [
    path("", send.send_page, name="send"),
    path("transfers/", send.create, name="create"),
    path("m/<token:token>", manage.transfer, name="manage"),
    path("m/<token:token>/files", manage.files, name="manage_files"),
    path("m/<token:token>/files/<uuid:file_id>", manage.file, name="manage_file"),
    path("t/<token:token>", receive.link, name="link"),
    path("t/<token:token>/password", receive.password, name="password"),
    path("internal/download", download.authorise, name="download_question"),
]

"""The addresses of transfers. `/d/...` is here for where no proxy asks the question about a download before it."""

from django.urls import path, register_converter

from apps.transfers.views import asking, control, download, manage, mine, receive, send


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
    path("m/<token:token>/change", control.change, name="change"),
    path("m/<token:token>/close", control.close, name="close"),
    path("m/<token:token>/open", control.reopen, name="open"),
    path("m/<token:token>/delete", control.delete, name="delete"),
    path("m/<token:token>/mails", control.mails, name="mails"),
    path("mine", mine.mine, name="mine"),
    path("mine/claim", mine.claim, name="claim"),
    path("mine/received", mine.received, name="received"),
    path("mine/requests", asking.requests, name="requests"),
    path("mine/requests/<uuid:request_id>/close", asking.close, name="request_close"),
    path("r/<token:token>", asking.answer_page, name="request"),
    path("r/<token:token>/transfers/", asking.answer, name="request_send"),
    path("t/<token:token>", receive.link, name="link"),
    path("t/<token:token>/password", receive.password, name="password"),
    path("d/<token:token>/<uuid:file_id>", download.download, name="download"),
    path("internal/download", download.authorise, name="download_question"),
]

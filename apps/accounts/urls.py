"""The addresses of account pages that are ours. They come before allauth's: its list of sessions is never reached."""

from django.urls import path

from apps.accounts.views import home, invitation, sessions, staff, tokens

urlpatterns = [
    path("", home.account_home, name="account_home"),
    path("invitation/<slug:token>", invitation.invitation, name="account_invitation"),
    path("staff/", staff.staff_factor, name="staff_factor"),
    path("tokens/", tokens.api_tokens, name="api_tokens"),
    path("tokens/<int:token_id>/revoke", tokens.revoke, name="api_token_revoke"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions/others/end", sessions.end_others, name="sessions_end_others"),
    path("sessions/<int:session_id>/end", sessions.end, name="session_end"),
]

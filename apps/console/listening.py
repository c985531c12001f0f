"""Owns what the console hears without being asked: tasks that failed for good, and staff that signs in."""

from typing import Any

from celery.signals import task_failure
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from apps.console.auditing import audit_write
from apps.console.jobs import job_failed


@task_failure.connect(dispatch_uid="console.task_failure")
def _on_task_failure(
    sender: Any = None,
    exception: BaseException | None = None,
    args: Any = (),
    **more: Any,
) -> None:
    """In the worker, after the last try."""
    job_failed(task=sender.name, arguments=list(args or ()), error=exception or RuntimeError("unknown"))


@receiver(user_logged_in, dispatch_uid="console.staff_signed_in")
def _on_sign_in(sender: Any, request: HttpRequest | None, user: AbstractBaseUser, **more: Any) -> None:
    if request is not None and getattr(user, "is_staff", False):
        request.user = user  # type: ignore[assignment]  # a stand-in for a request
        audit_write(request, "staff_signed_in", target=user)

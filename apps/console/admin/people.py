"""Owns the admin's pages about people, and that one signs in to the admin where everybody signs in."""

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.accounts.models import User
from apps.console.admin.base import ConsoleAdmin

# One sign-in for all: with the throttles and the second factor that a page of the admin's own would lack.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # allauth's documented way

admin.site.unregister([Group, EmailAddress, Authenticator])


@admin.register(User)
class UserAdmin(ConsoleAdmin, DjangoUserAdmin):  # type: ignore[misc,type-arg]
    """People: their rights, whether they may sign in, and how much they may have here."""

    form = UserChangeForm
    add_form = UserCreationForm
    add_fieldsets = DjangoUserAdmin.add_fieldsets
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_staff", "is_active", "last_login", "date_joined")
    list_filter = ("is_staff", "is_superuser", "is_active")
    ordering = ("-date_joined",)
    search_fields = (
        "username__istartswith",
        "email__istartswith",
        "first_name__istartswith",
        "last_name__istartswith",
    )
    search_help_text = _("How a name or an e-mail address begins")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (*DjangoUserAdmin.fieldsets, (_("Sending"), {"fields": ("quota_bytes",)}))  # type: ignore[misc]
    export_order = "date_joined"
    export_columns = (
        *(("id", "id"), ("name", "username"), ("e-mail", "email"), ("staff", "is_staff")),
        *(("active", "is_active"), ("quota", "quota_bytes"), ("last sign-in", "last_login")),
        ("joined", "date_joined"),
    )


@admin.register(Group)
class GroupAdmin(ConsoleAdmin, DjangoGroupAdmin):  # type: ignore[misc]
    """Groups of rights."""


@admin.register(EmailAddress)
class EmailAddressAdmin(ConsoleAdmin, AllauthEmailAddressAdmin):
    """Addresses people sign in with, and whether they were confirmed."""

    list_select_related = ("user",)


@admin.register(Authenticator)
class AuthenticatorAdmin(ConsoleAdmin):
    """Second factors: to see who has one, and to remove one that was lost. Their secrets are never shown."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username__istartswith", "user__email__istartswith")
    exclude = ("data",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only their owner can add one."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        """There is nothing to change."""
        return False

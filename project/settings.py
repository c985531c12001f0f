"""Every setting of Spillway, read from the environment. One module, no per-environment copies, no unsafe default."""

from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from apps.common import redis_url
from apps.lifecycle import logs
from project import env
from project.branding import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Who this process is
ROLE = env.choice(
    "ROLE", "What this process is.", default="manage", among=("web", "worker", "beat", "manage")
)
RELEASE = env.text(
    "RELEASE", "Which code this is: an image tag or a git revision.", default="dev", pattern=r"[\w.+-]{1,64}"
)
INSTANCE = env.text(
    "INSTANCE", "The name of this instance, in logs and probes.", default="local", pattern=r"[\w.-]{1,64}"
)
DEBUG = env.boolean("DEBUG", "Django's debug pages. Never on a site that others reach.", default=False)

# --- Secrets
SECRET_KEY = env.secret("SECRET_KEY", "Signs sessions and tokens. The same for all instances.")
DOWNLOAD_KEY = env.secret(
    "DOWNLOAD_KEY", "Signs download locations. The same for all instances and the file server."
)

# --- Addresses
PUBLIC_URL = env.text(
    "PUBLIC_URL",
    "The address people use, without a path.",
    default="http://localhost:8000",
    pattern=r"https?://[^/]+",
)
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = env.words(
    "ALLOWED_HOSTS",
    "Host names this site answers to.",
    default=sorted({_public.hostname or "localhost", "localhost", "127.0.0.1", "[::1]"}),
    shown="the host of PUBLIC_URL, and this machine",
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXIES = env.integer(
    "TRUSTED_PROXIES",
    "How many proxies stand in front of an instance; the client's address is taken that many places from the "
    "right of X-Forwarded-For.",
    default=1,
    maximum=10,
)
SECURE = _public.scheme == "https"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0

# --- Database
WEB_WORKERS = env.integer("WEB_WORKERS", "Processes of one instance.", default=1, minimum=1, maximum=64)
WEB_THREADS = env.integer(
    "WEB_THREADS", "Threads of one process of an instance.", default=16, minimum=4, maximum=512
)
DB_POOL_MIN = env.integer("DB_POOL_MIN", "Database connections a process keeps open.", default=4, minimum=1)
DB_POOL_MAX = env.integer(
    "DB_POOL_MAX",
    "Most database connections of a process.",
    default=WEB_THREADS + 2,
    minimum=1,
    shown="WEB_THREADS + 2",
)
DB_POOL_TIMEOUT_SECONDS = env.number(
    "DB_POOL_TIMEOUT_SECONDS", "How long a request waits for a database connection.", default=5.0, minimum=0.1
)
# A row's lock is held for a round trip or two; whoever has waited so long for one gives its thread to others.
_LOCK_TIMEOUT_MS = 8_000
# A request that stopped in the middle of a transaction holds its locks: end it before others give up.
_IDLE_IN_TRANSACTION_MS = 5_000
STATEMENT_TIMEOUT_SECONDS = env.integer(
    "STATEMENT_TIMEOUT_SECONDS", "How long one statement of a web request may run.", default=15, minimum=1
)
DATABASE_POOLER = env.choice(
    "DATABASE_POOLER",
    "What shares connections between the site and PostgreSQL: nothing, or PgBouncer in transaction mode.",
    default="none",
    among=("none", "transaction"),
)
DATABASES = {
    "default": env.database("DATABASE_URL", "PostgreSQL: postgresql://user:password@host:port/name")
    | {"ATOMIC_REQUESTS": False, "CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 0}
}
# What stands behind the `?` of the address, such as sslmode, comes first.
DATABASES["default"]["OPTIONS"] = DATABASES["default"].get("OPTIONS", {}) | {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 6_000,
    "application_name": f"spillway-{INSTANCE}"[:63],
}
if DATABASE_POOLER == "transaction":
    # The next statement may be another connection's: a cursor of the server's would be gone by then.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
if ROLE == "web" and DATABASE_POOLER == "none":
    # A pooler refuses a connection that brings settings of its own; docs/kubernetes.md says how it sets them itself.
    DATABASES["default"]["OPTIONS"] |= {
        # Giving the time zone here saves a round trip on every new connection.
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS * 1000} "
        f"-c lock_timeout={_LOCK_TIMEOUT_MS} -c idle_in_transaction_session_timeout={_IDLE_IN_TRANSACTION_MS} "
        "-c TimeZone=UTC",
    }
if ROLE == "web":
    # Only web instances pool: Celery closes Django's pool at every task boundary.
    DATABASES["default"]["OPTIONS"] |= {
        "pool": {
            "min_size": min(DB_POOL_MIN, DB_POOL_MAX),
            "max_size": DB_POOL_MAX,
            "timeout": DB_POOL_TIMEOUT_SECONDS,
            # 0 = no limit, on purpose: psycopg_pool leaves requests that have timed out in its queue until a
            # connection comes back, so a full queue would refuse everybody for ever. Threads are the limit.
            "max_waiting": 0,
            # Give up soon: the next request that waits makes the pool grow again, while the default's backoff
            # (1, 2, 4, 8 s...) outlasts the outage. Seen: back in 1.1 s at most rather than 7.9 s.
            "reconnect_timeout": 1.0,
            "max_idle": 60.0,
            "max_lifetime": 1800.0,
            "num_workers": 2,
            "name": INSTANCE,
        },
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: sessions, cache, throttles (database 0) and the broker (database 1)
REDIS_URL = env.redis(
    "REDIS_URL",
    f"Redis: {redis_url.SERVER}, {redis_url.SENTINELS} or {redis_url.CLUSTER}; rediss for TLS.",
    kinds=(redis_url.SERVER, redis_url.SENTINELS, redis_url.CLUSTER),
)
CACHE_URL = redis_url.with_database(REDIS_URL, 0)
BROKER_URL = env.redis(
    "BROKER_URL",
    "The Redis in which tasks wait for a worker, where it is not the same: no cluster.",
    kinds=(redis_url.SERVER, redis_url.SENTINELS),
    default=env.required_if(redis_url.is_cluster(REDIS_URL)),
    shown="REDIS_URL (required with a cluster)",
) or redis_url.with_database(REDIS_URL, 1)
_REDIS_CLIENT = {
    "CLIENT_CLASS": "django_redis.client.DefaultClient",
    "CONNECTION_FACTORY": "apps.common.redis_clients.RedisConnectionFactory",
    "SOCKET_CONNECT_TIMEOUT": 1,
    "SOCKET_TIMEOUT": 1,
    # A lost Redis costs speed, never a session: reads miss and cached_db goes on with PostgreSQL.
    "IGNORE_EXCEPTIONS": True,
}
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        # One, whatever commas there are in it.
        "LOCATION": [CACHE_URL],
        "KEY_PREFIX": "spillway",
        "OPTIONS": _REDIS_CLIENT,
    }
}
# A lost Redis is said once by readiness and the throttles; a stack trace per cache call would bury it.
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = False
SESSION_ENGINE = "apps.accounts.sessions"  # cached_db with short copies
SESSION_COOKIE_NAME = "spillway_session"
SESSION_COOKIE_SAMESITE = "Lax"

# --- Files
STORE = env.choice("STORE", "Where parts and blobs lie.", default="filesystem", among=("filesystem", "s3"))
# How apps that uploads builds on get at the store (an apps.uploads.ports.BlobStore), without importing it.
BLOB_STORE = "apps.uploads.store.blob_store"
_WITH_S3 = "(required with STORE=s3)"
STORE_ROOT = Path(
    env.text(
        "STORE_ROOT",
        "The filesystem store's folder: staging/ and blobs/, shared by all instances.",
        default=env.required_if(STORE == "filesystem"),
        shown="(required with STORE=filesystem)",
    )
)
S3_ENDPOINT_URL = env.text(
    "S3_ENDPOINT_URL",
    "Where the site reaches the object store.",
    pattern=r"https?://[^/]+",
    default=env.required_if(STORE == "s3"),
    shown=_WITH_S3,
)
S3_PUBLIC_URL = env.text(
    "S3_PUBLIC_URL",
    "Where browsers reach the object store: downloads are sent there.",
    pattern=r"https?://[^/]+",
    default=S3_ENDPOINT_URL,
    shown="S3_ENDPOINT_URL",
)
S3_BUCKET = env.text(
    "S3_BUCKET",
    "The bucket; made if it is missing.",
    pattern=r"[a-z0-9][a-z0-9.-]{2,62}",
    default=env.required_if(STORE == "s3"),
    shown=_WITH_S3,
)
S3_REGION = env.text("S3_REGION", "Its region.", default="us-east-1", pattern=r"[a-z0-9-]{1,32}")
S3_PREFIX = env.text(
    "S3_PREFIX",
    "What all names in the bucket begin with, for a bucket that is not ours alone.",
    default="",
    pattern=r"([\w.-]+/)*",
)
S3_ACCESS_KEY = env.secret(
    "S3_ACCESS_KEY",
    "The object store's key, its public half.",
    min_length=3,
    default=env.required_if(STORE == "s3"),
    shown=_WITH_S3,
)
S3_SECRET_KEY = env.secret(
    "S3_SECRET_KEY",
    "The object store's key, its secret half.",
    min_length=16,
    default=env.required_if(STORE == "s3"),
    shown=_WITH_S3,
)
FSYNC = env.boolean(
    "FSYNC", "Make bytes durable before they are acknowledged. Off only to measure.", default=True
)
MIN_FREE_BYTES = env.integer("MIN_FREE_BYTES", "Free space that uploads leave alone.", default=256 * 2**20)
MAX_FILE_BYTES = env.integer(
    "MAX_FILE_BYTES", "The largest file that may be sent.", default=100 * 2**30, minimum=1
)
MAX_TRANSFER_BYTES = env.integer(
    "MAX_TRANSFER_BYTES",
    "Most bytes of one transfer's files together; 0: no limit.",
    default=500 * 2**30,
    minimum=0,
)
MAX_ACCOUNT_BYTES = env.integer(
    "MAX_ACCOUNT_BYTES",
    "Most bytes that one account has here at a time; 0: no limit.",
    default=2**40,
    minimum=0,
)
MAX_ADDRESS_BYTES = env.integer(
    "MAX_ADDRESS_BYTES",
    "Most bytes that senders without an account have here at a time, of each client address; 0: no limit.",
    default=200 * 2**30,
    minimum=0,
)
PLAIN_FORM_MAX_BYTES = env.integer(
    "PLAIN_FORM_MAX_BYTES",
    "Most bytes of the files that a browser without JavaScript sends in one form.",
    default=25 * 2**20,
    minimum=1,
    maximum=2**30,
)
MAX_TRANSFER_FILES = env.integer("MAX_TRANSFER_FILES", "Most files of one transfer.", default=1000, minimum=1)
TRANSFER_EXPIRES_DAYS = env.integer(
    "TRANSFER_EXPIRES_DAYS", "How long a link works unless the sender says otherwise.", default=7, minimum=1
)
TRANSFER_EXPIRES_DAYS_MAX = env.integer(
    "TRANSFER_EXPIRES_DAYS_MAX", "The longest life a sender may choose.", default=30, minimum=1
)
UPLOAD_EXPIRES_SECONDS = env.integer(
    "UPLOAD_EXPIRES_SECONDS",
    "How long an unfinished upload waits for its next byte.",
    default=86_400,
    minimum=1,
)
TAKEDOWN_KEEP_DAYS = env.integer(
    "TAKEDOWN_KEEP_DAYS",
    "How long what staff took down can be restored; then it is removed with its bytes.",
    default=14,
    minimum=1,
)
SEND_POLICY = env.choice(
    "SEND_POLICY", "Who may send.", default="anyone", among=("anyone", "signed-in", "staff")
)
MAIL_POLICY = env.choice(
    "MAIL_POLICY",
    "For whom the site mails links to others; for nobody without EMAIL_URL.",
    default="signed-in",
    among=("anyone", "signed-in", "nobody"),
)

# --- Uploads
LEASE_SECONDS = env.number(
    "LEASE_SECONDS",
    "How long the right to append to an upload lasts unless renewed: a dead holder's is free after that.",
    default=5.0,
    minimum=0.5,
)
LEASE_WAIT_SECONDS = env.number(
    "LEASE_WAIT_SECONDS", "How long a second request waits for the holder to let go.", default=10.0
)
COMMIT_BYTES = env.integer(
    "COMMIT_BYTES", "A part is made durable after so many bytes...", default=16 * 2**20, minimum=2**16
)
COMMIT_SECONDS = env.number(
    "COMMIT_SECONDS", "...or after so long, whichever is first.", default=2.0, minimum=0.1
)
UPLOAD_IDLE_SECONDS = env.number(
    "UPLOAD_IDLE_SECONDS",
    "An upload's request that brings no byte for so long is ended.",
    default=20.0,
    minimum=1,
)
UPLOAD_THREADS_SHARE = 0.75  # of an instance's threads; the rest always answers pages and HEADs

CORS_ORIGINS = env.origins(
    "CORS_ORIGINS",
    "Other sites whose pages may upload here, such as https://app.example.com; * for every site.",
    default=[],
)

# --- Processing
CLAIM_SECONDS = env.number(
    "CLAIM_SECONDS", "How long a worker owns a file it processes unless it renews.", default=30.0, minimum=1
)
SWEEP_SECONDS = env.number(
    "SWEEP_SECONDS", "How often work that nobody owns is looked for.", default=5.0, minimum=1
)

ARCHIVE_KEEP_SECONDS = env.integer(
    "ARCHIVE_KEEP_SECONDS",
    "How long an archive of several files is kept after it was last asked for.",
    default=86_400,
    minimum=60,
)
PREVIEWS = env.boolean(
    "PREVIEWS", "Make thumbnails and previews of pictures, PDFs, texts and archives.", default=True
)
PREVIEW_MAX_BYTES = env.integer(
    "PREVIEW_MAX_BYTES",
    "The largest picture or PDF that previews are made of.",
    default=64 * 2**20,
    minimum=1,
)

CELERY_APP = "project.celery.app"
# Who knows what waits for a worker: an app above apps.lifecycle (a function of a connection, giving files and seconds).
BACKLOG = "apps.processing.waiting.files_waiting"

# --- Throttles, shared by all instances
THROTTLES = {
    "transfer_create": env.rate(
        "THROTTLE_TRANSFER_CREATE", "New transfers of one client address.", default="60/minute"
    ),
    "link_open": env.rate("THROTTLE_LINK_OPEN", "Links opened by one client address.", default="300/minute"),
    "sign_in": env.rate("THROTTLE_SIGN_IN", "Sign-in tries of one client address.", default="10/minute"),
    "sign_in_name": env.rate(
        "THROTTLE_SIGN_IN_NAME", "Sign-in tries for one account, from anywhere.", default="20/minute"
    ),
    "password": env.rate(
        "THROTTLE_PASSWORD", "Password tries for one transfer by one client address.", default="10/minute"
    ),
    "api": env.rate("THROTTLE_API", "Requests to the API with one token.", default="600/minute"),
    "api_token": env.rate(
        "THROTTLE_API_TOKEN", "Wrong API tokens shown by one client address.", default="30/minute"
    ),
    "mail": env.rate(
        "THROTTLE_MAIL", "Mails with a link, of one account or of one client address.", default="100/hour"
    ),
    "archive": env.rate(
        "THROTTLE_ARCHIVE", "New archives of several files for one client address.", default="20/minute"
    ),
    "report": env.rate("THROTTLE_REPORT", "Reports of abuse by one client address.", default="10/hour"),
    "report_link": env.rate(
        "THROTTLE_REPORT_LINK", "Reports of abuse of one transfer, from anywhere.", default="20/hour"
    ),
}

# --- Life of an instance
RUN_DIR = env.text(
    "RUN_DIR", "A private, writable folder of this process, emptied at its start (metrics).", default=""
)
METRICS_BIND = env.text(
    "METRICS_BIND",
    "Where a worker says its metrics, as host:port; nowhere if empty. An instance says its own on its port.",
    default="",
    pattern=r"(\S+:\d{1,5})?",
)
HEALTH_INTERVAL_SECONDS = env.number(
    "HEALTH_INTERVAL_SECONDS", "How often an instance checks what it needs.", default=2.0, minimum=0.2
)
PROXY_CHECK_SECONDS = env.number(
    "PROXY_CHECK_SECONDS", "How often the proxy looks at /readyz.", default=1.0, minimum=0.1
)
DRAIN_SECONDS = env.number(
    "DRAIN_SECONDS", "How long a stopping instance says 503 on /readyz while it still serves.", default=5.0
)
GRACEFUL_SECONDS = env.integer(
    "GRACEFUL_SECONDS", "How long requests in flight may take after the drain.", default=30
)

# --- Logs and mail
LOG_LEVEL = env.choice(
    "LOG_LEVEL", "Least severity that is logged.", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR")
)
LOG_FORMAT = env.choice(
    "LOG_FORMAT",
    "One JSON object a line, or text for people; auto: text where a terminal shows it.",
    default="auto",
    among=("auto", "json", "console"),
)
LOGGING_CONFIG = "apps.common.logs.configure"
# A command's stdout is its answer.
_LOG_STREAM = "stderr" if ROLE == "manage" else "stdout"
LOGGING = {
    "level": LOG_LEVEL,
    "format": logs.format_for(LOG_FORMAT, _LOG_STREAM),
    "stream": _LOG_STREAM,
    "instance": INSTANCE,
    "release": RELEASE,
}
# Who asks, for a request's log line: an app above apps.common (a function of the request, giving names and values).
WHO_ASKS = "apps.accounts.asking.who_asks"
OTEL_EXPORTER_OTLP_ENDPOINT = env.web_address(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "Where OpenTelemetry traces go (OTLP over HTTP), such as http://collector:4318; nowhere if empty.",
)
TRACES_SHARE = env.number(
    "TRACES_SHARE", "The share of requests and tasks that is traced, 0 to 1.", default=1.0, maximum=1.0
)
SENTRY_DSN = env.web_address(
    "SENTRY_DSN",
    "Where errors that nobody foresaw are reported: a Sentry, or what speaks like one; nowhere if empty.",
)
_MAIL = env.email("EMAIL_URL", "Where mail goes; it is not sent if empty.", default="")
vars().update(_MAIL)
if _MAIL["EMAIL_BACKEND"] == env.UNSENT:
    MAIL_POLICY = "nobody"  # whoever may write an address counts on its being written to
DEFAULT_FROM_EMAIL = env.text(
    "MAIL_FROM",
    "The sender of our mail.",
    default=f"spillway@{_public.hostname}",
    shown="spillway@ the host of PUBLIC_URL",
)
EMAIL_TIMEOUT = (
    15  # of each step of a conversation with the mail server; a worker owns a mail for longer than all
)

# --- Django
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "health_check",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "apps.common",
    "apps.lifecycle",
    "apps.throttling",
    "apps.accounts",
    "apps.transfers",
    "apps.uploads",
    "apps.processing",
    "apps.console",
    "apps.api",
]
MIDDLEWARE = [
    "apps.lifecycle.middleware.ProbeMiddleware",
    "apps.lifecycle.middleware.MetricsMiddleware",
    "apps.common.middleware.RequestContextMiddleware",
    "apps.common.headers.ProtectionMiddleware",
    "apps.uploads.assets.AssetsMiddleware",
    "apps.common.language.LanguageMiddleware",
    "apps.uploads.middleware.UploadsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.middleware.SignInThrottleMiddleware",
    "apps.accounts.middleware.OperatorPolicyMiddleware",
    "apps.accounts.middleware.StaffSecondFactorMiddleware",
    "apps.accounts.middleware.LastSeenMiddleware",
    "apps.common.middleware.ErrorMiddleware",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.accounts.context.sign_up",
                "apps.common.context.frame",
            ]
        },
    }
]
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_REDIRECT_URL = "/"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "spillway_language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = SECURE
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_AGE = 31_536_000
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
# What a request's body may hold in memory; uploads are streamed by apps.uploads and never pass through here.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 * 2**20
# A recipient may choose any of a transfer's files, each in a field.
DATA_UPLOAD_MAX_NUMBER_FIELDS = MAX_TRANSFER_FILES + 200

STATIC_URL = "/static/"
STATIC_ROOT = env.text(
    "STATIC_ROOT",
    "The shared folder of all live releases' assets, served by the file server.",
    default=str(BASE_DIR / ".spillway" / "static"),
    shown=".spillway/static",
)
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "project.static.ReleaseManifestStorage"},
}

CSRF_FAILURE_VIEW = "apps.common.views.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# With an object store, a picture or a film of a transfer comes from there.
_STORE_ORIGINS = [S3_PUBLIC_URL] if STORE == "s3" else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        # What is not named is not allowed. No page has a script or a style of its own, so none needs a nonce.
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *_STORE_ORIGINS],
        "media-src": [SELF, *_STORE_ORIGINS],
        "frame-src": [SELF, *_STORE_ORIGINS],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- People
SIGN_UP = env.choice(
    "SIGN_UP",
    "Who may make an account: anybody, whoever has an invitation (`manage.py invite`), or nobody.",
    default="closed",
    among=("open", "invited", "closed"),
)
EMAIL_VERIFICATION = env.choice(
    "EMAIL_VERIFICATION",
    "Whether somebody must confirm an e-mail address: never, if they like, or before they can sign in.",
    default="optional",
    among=("none", "optional", "mandatory"),
)
STAFF_SECOND_FACTOR = env.boolean(
    "STAFF_SECOND_FACTOR",
    "Whether staff must have a second factor to use the admin.",
    default=not env.is_loopback(_public.hostname or "localhost"),
    shown="true, unless PUBLIC_URL is an address of this machine alone",
)
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = EMAIL_VERIFICATION
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
# Never write to addresses that have no account here.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
# THROTTLES count instead: exactly, over all instances, and without refusing everybody when Redis is away.
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = False
MFA_ADAPTER = "apps.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# http://localhost is a secure origin to browsers and to the library; the setting that lets any other in stays off.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = False
# Staff must be able to set one up without a mail server. Where addresses are confirmed first, it waits for that.
MFA_ALLOW_UNVERIFIED_EMAIL = EMAIL_VERIFICATION != "mandatory"
MFA_TOTP_ISSUER = "Spillway"
MFA_TOTP_TOLERANCE = 1  # steps of 30 s: phones and people are slow
ACCOUNT_FORMS = {"login": "apps.accounts.forms.SignInForm"}
MFA_FORMS = {
    "authenticate": "apps.accounts.forms.SecondFactorForm",
    "reauthenticate": "apps.accounts.forms.SecondFactorAgainForm",
    "add_webauthn": "apps.accounts.forms.AddKeyForm",
}
# Who knows how much somebody has here: an app above apps.accounts (a function of a user's id, giving bytes).
ROOM_USED = "apps.uploads.room.account_room"

"""Owns how Celery delivers work: broker, acknowledgements, schedule. Reads no environment variable itself."""

from datetime import timedelta

from apps.common import redis_url
from project.settings import BROKER_URL, ROLE, SWEEP_SECONDS

broker_url = redis_url.broker_url(BROKER_URL)
broker_use_ssl = redis_url.broker_tls(BROKER_URL)
task_ignore_result = True
task_acks_late = True
worker_prefetch_multiplier = 1
worker_hijack_root_logger = False
worker_send_task_events = False
worker_cancel_long_running_tasks_on_connection_loss = False
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_transport_options = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 1,
    # A worker waits on the broker by design; a request that rings the doorbell does not.
    "socket_timeout": 1 if ROLE == "web" else 5,
    "socket_keepalive": True,
    **redis_url.broker_options(BROKER_URL),
}
# A request that rings the doorbell must not hang on it: the sweep finds what was not enqueued.
task_publish_retry = False
timezone = "UTC"
beat_schedule = {
    "sweep": {
        "task": "processing.sweep",
        "schedule": timedelta(seconds=SWEEP_SECONDS),
        "options": {"expires": SWEEP_SECONDS},
    },
    "expire": {"task": "processing.expire", "schedule": timedelta(seconds=30), "options": {"expires": 30}},
    "mails": {
        "task": "transfers.sweep_mails",
        "schedule": timedelta(seconds=SWEEP_SECONDS),
        "options": {"expires": SWEEP_SECONDS},
    },
    "clear_sessions": {
        "task": "accounts.clear_sessions",
        "schedule": timedelta(hours=6),
        "options": {"expires": 3600},
    },
    "find_failed": {
        "task": "console.find_failed",
        "schedule": timedelta(seconds=30),
        "options": {"expires": 30},
    },
    "take_stock": {
        "task": "console.take_stock",
        "schedule": timedelta(minutes=5),
        "options": {"expires": 240},
    },
    "orphans": {
        "task": "processing.collect_orphans",
        "schedule": timedelta(hours=1),
        "options": {"expires": 600},
    },
}

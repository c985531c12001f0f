"""`spillway up`: start everything, and stay with it unless told otherwise."""

from argparse import Namespace

from deploy.fleet.configuration import DEFAULT_WEB, DEFAULT_WORKERS, STORE_FILESYSTEM, UpOptions
from deploy.fleet.errors import AlreadyUpError, StartError
from deploy.fleet.platforms import platform_for
from deploy.fleet.ports import Observation, Platform
from deploy.fleet.views import View, view_for_terminal


def run(options: Namespace, rest: list[str]) -> int:
    platform = platform_for(options.data)
    before = platform.desired()
    wanted = UpOptions(
        options.data, options.web or len(before.web) or DEFAULT_WEB,
        options.workers or len(before.workers) or DEFAULT_WORKERS, options.port, options.host, options.detach,
        options.store or before.store or STORE_FILESYSTEM,
    )  # fmt: skip
    seen = platform.observe()
    if seen.phase in {"ready", "starting", "stopping"}:
        return _already(seen, wanted)
    try:
        with view_for_terminal() as view:
            _start(platform, wanted, view)
    except AlreadyUpError:
        return _already(platform.observe(), wanted)
    return 0


def _already(seen: Observation, wanted: UpOptions) -> int:
    if seen.phase == "stopping":
        raise StartError("The fleet is being stopped at this moment: try again when it is.")
    words = "is already running" if seen.phase == "ready" else "is already being started"
    print(f"Spillway {words} at {seen.address or wanted.address} (data in {wanted.data}).")
    return 0


def _start(platform: Platform, wanted: UpOptions, view: View) -> None:
    greeted = False

    def watch(seen: Observation) -> None:
        nonlocal greeted
        view.show(seen)
        if seen.phase == "ready" and not greeted:
            greeted = True
            view.say(*_greeting(platform, wanted))

    (platform.up if wanted.detach else platform.run)(wanted, watch)


def _greeting(platform: Platform, wanted: UpOptions) -> list[str]:
    lines = [f"Spillway is ready at {wanted.address}"]
    kept = platform.admin_password_file()
    if platform.first_greeting():
        lines.append(f"Admin: {wanted.address}/admin/  name: admin  password: {kept.read_text().strip()}")
        lines.append(f"(The password is shown this once; it is kept in {kept}.)")
    else:
        lines.append(f"Admin: {wanted.address}/admin/  name: admin  password: in {kept}")
    if letters := platform.mail_folder():
        lines.append(f"Mail is not sent but written into {letters} (EMAIL_URL says where to send it).")
    lines.append("Ctrl-C stops it." if not wanted.detach else "`spillway down` stops it.")
    return lines

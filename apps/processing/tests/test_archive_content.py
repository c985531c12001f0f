"""What is in an archive: every byte, every name, also beyond 4 GiB. Real database, real store."""

import os
import shutil
import subprocess
import uuid
import zipfile

import pytest

from apps.processing import archiving, rules
from apps.processing.archiving import archive_request
from apps.processing.tests.packed import made, path_of, read
from apps.transfers.models import File

pytestmark = pytest.mark.django_db


class TestContent:
    def test_every_file_is_in_it_byte_for_byte(self, sent, publish, store_root):
        data = [os.urandom(3 * 2**20 + 5), b"", b"hello"]
        files = [publish(sent, f"{number}.bin", part) for number, part in enumerate(data)]
        archive = made(sent, *files)
        assert read(store_root, archive) == {f"{number}.bin": part for number, part in enumerate(data)}
        assert archive.size == path_of(store_root, archive).stat().st_size
        assert archive.bytes_done == archive.bytes_total == sum(map(len, data))

    def test_folders_are_kept_and_names_may_hold_any_character(self, sent, publish, store_root):
        files = [
            publish(sent, "Übersicht 日本 🌊.txt", b"1", folder="Bilder/Größe"),
            publish(sent, "a.txt", b"2"),
        ]
        assert read(store_root, made(sent, *files)) == {
            "Bilder/Größe/Übersicht 日本 🌊.txt": b"1",
            "a.txt": b"2",
        }

    def test_files_of_one_name_are_told_apart(self, sent, publish, store_root):
        files = [publish(sent, "a.txt", str(number).encode()) for number in range(3)]
        assert set(read(store_root, made(sent, *files))) == {"a.txt", "a (2).txt", "a (3).txt"}

    @pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip here")
    def test_other_programs_can_read_it(self, sent, publish, store_root, tmp_path):
        files = [publish(sent, "ä.bin", os.urandom(70_000)), publish(sent, "b.bin", b"b", folder="x")]
        path = path_of(store_root, made(sent, *files))
        subprocess.run(["unzip", "-tqq", str(path)], check=True)

    def test_it_is_made_in_an_object_store_too(self, sent, s3_store):
        keys = []
        for number in range(2):
            key = rules.blob_key(uuid.uuid4().hex)
            writer = s3_store.open_blob(key)
            writer.write(os.urandom(6 * 2**20))
            writer.commit()
            keys.append(sent.add(f"{number}.bin", size=6 * 2**20, blob_key=key))
        archive = made(sent, *keys)
        assert s3_store.blob_size(archive.blob_key) == archive.size > 12 * 2**20
        tail = b"".join(
            bytes(block) for block in s3_store.read_blob(archive.blob_key, start=archive.size - 22)
        )
        assert tail.startswith(b"PK\x05\x06")


class TestLargeFiles:
    """Over 4 GiB every length and offset needs zip64. The bytes are holes in a file: nobody writes gigabytes here."""

    def test_a_file_over_4_gib_and_one_behind_it_are_named_with_their_true_places(
        self, sent, publish, store_root, monkeypatch
    ):
        large, small = publish(sent, "large.bin", b"x"), publish(sent, "small.txt", b"behind it")
        size = 2**32 + 5
        os.truncate(store_root / "blobs" / large.blob_key, size)
        File.objects.filter(pk=large.pk).update(size=size)
        large.refresh_from_db()
        archive = archive_request(transfer=sent.transfer, files=[large, small])
        target = Hollow()
        claim = archiving.ArchiveClaim(archive, uuid.uuid4())
        monkeypatch.setattr(archiving.ArchiveClaim, "keep", lambda self, *, now=False: None)
        # The check sums of the members are not what is tried here, and 4 GiB take long to sum up.
        monkeypatch.setattr("zipfile.crc32", lambda data, value=0: 0)
        archiving.pack(target, [large, small], claim)
        with zipfile.ZipFile(target.as_file()) as found:
            entries = {entry.filename: entry for entry in found.infolist()}
        assert entries["large.bin"].file_size == size
        assert entries["small.txt"].header_offset > size
        assert target.bytes_at(entries["small.txt"].header_offset, 4) == b"PK\x03\x04"
        assert claim.bytes_done == size + len(b"behind it")


class Hollow:
    """Takes a run of bytes and keeps what is not zero, in places."""

    def __init__(self) -> None:
        self.size = 0
        self._kept: list[tuple[int, bytes]] = []

    def write(self, data) -> int:
        if len(data) < 2**16:
            self._kept.append((self.size, bytes(data)))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing to do."""

    def bytes_at(self, offset: int, count: int) -> bytes:
        found = bytearray(count)
        for start, data in self._kept:
            for place in range(max(start, offset), min(start + len(data), offset + count)):
                found[place - offset] = data[place - start]
        return bytes(found)

    def as_file(self):
        import io

        hollow = self

        class Reader(io.RawIOBase):
            at = 0

            def seekable(self):
                return True

            def readable(self):
                return True

            def seek(self, offset, whence=0):
                self.at = {0: 0, 1: self.at, 2: hollow.size}[whence] + offset
                return self.at

            def tell(self):
                return self.at

            def read(self, count=-1):
                count = hollow.size - self.at if count < 0 else min(count, hollow.size - self.at)
                data = hollow.bytes_at(self.at, count)
                self.at += len(data)
                return data

        return Reader()

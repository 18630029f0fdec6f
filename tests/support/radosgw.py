"""An S3 that is not moto's and checks signatures: Ceph's gateway with a monitor and one disk in memory, on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple
from uuid import uuid4

__all__ = ["Gateway", "is_installed", "radosgw"]

_PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_UP_SECONDS = 60.0
_CONF = """[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file =
keyring = {folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data = {folder}/mon
mon data avail crit = 1
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 16
rgw sts key = abcdefghijklmnop
rgw s3 auth use sts = true
rgw run sync thread = false
ms mon client mode = crc
"""


class Gateway(NamedTuple):
    """Where it answers, and to whom."""

    url: str
    access_key: str
    secret_key: str


def is_installed() -> bool:
    """Whether every program that is needed is there."""
    return all(map(shutil.which, _PROGRAMS))


@contextmanager
def radosgw(folder: Path) -> Iterator[Gateway]:
    """A gateway for the duration of a block, all its files below a folder; takes some 12 s to start."""
    port, monitor = _free_port(), _free_port()
    disk, fsid = str(uuid4()), str(uuid4())
    conf = folder / "ceph.conf"
    conf.write_text(_CONF.format(fsid=fsid, monitor=monitor, folder=folder, port=port))
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    gateway = Gateway(f"http://127.0.0.1:{port}", "AKIATEST", "se/cret+")
    with ExitStack() as stack:

        def run(*command: str) -> None:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_UP_SECONDS, check=False)
            assert done.returncode == 0, f"{command}: {done.stderr}"

        def start(*command: str) -> None:
            output = stack.enter_context((folder / f"{command[0]}.out").open("w"))
            process = subprocess.Popen([*command, "-c", conf, "-f"], stdout=output, stderr=output)
            stack.callback(process.wait)
            stack.callback(process.kill)

        run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{monitor}]", f"{folder}/monmap")
        run("ceph-mon", "-c", str(conf), "--mkfs", "-i", "a", "--monmap", f"{folder}/monmap")
        start("ceph-mon", "-i", "a")
        run("ceph", "-c", str(conf), "osd", "new", disk)
        run("ceph-osd", "-c", str(conf), "-i", "0", "--mkfs", "--osd-uuid", disk)
        start("ceph-osd", "-i", "0")
        user = ["--uid", "wrenml", "--display-name", "wrenml", "--caps", "user-policy=*"]
        keys = ["--access-key", gateway.access_key, "--secret", gateway.secret_key]
        run("radosgw-admin", "-c", str(conf), "-n", "client.rgw", "user", "create", *user, *keys)
        start("radosgw", "-n", "client.rgw")
        _await(port)
        yield gateway


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _await(port: int) -> None:
    end = time.monotonic() + _UP_SECONDS
    pause = Event()
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise AssertionError(f"the gateway did not answer within {_UP_SECONDS} s")

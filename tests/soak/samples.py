"""What a process holds: memory, descriptors, semaphores, threads, children, and files in its temporary folder."""

import gc
import tempfile
from pathlib import Path

QUANTITIES = ("memory", "descriptors", "shared", "threads", "children", "files")
"""Memory in MiB (RSS), the others as counts; shared are semaphores and blocks of shared memory that are mapped."""


def sample() -> tuple[float, ...]:
    """Return the `QUANTITIES` of this process after a garbage collection."""
    gc.collect()
    process = Path("/proc/self")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    maps = (process / "maps").read_text().splitlines()
    children = (task / "children" for task in (process / "task").iterdir())
    return (
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        sum("/dev/shm/" in line for line in maps),
        int(status["Threads"]),
        sum(len(path.read_text().split()) for path in children),
        sum(1 for _ in Path(tempfile.gettempdir()).rglob("*")),
    )

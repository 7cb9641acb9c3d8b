"""A slower disk: a library that adds two milliseconds to each sync of a file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void wait_a_little(void) { struct timespec t = {0, 2000000}; nanosleep(&t, 0); }
int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
    wait_a_little();
    return real(fd);
}
int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    wait_a_little();
    return real(fd);
}
"""
_SECONDS = 60


def slow_disk(folder: Path, environ: Mapping[str, str]) -> Mapping[str, str] | None:
    """Compile the library into *folder*; give what to add to a program's environment.

    None where there is no C compiler.
    """
    compiler = shutil.which("cc", path=environ.get("PATH", ""))
    if compiler is None:
        return None
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(_SOURCE, encoding="utf-8")
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, timeout=_SECONDS)
    library.chmod(0o755)
    folder.chmod(0o755)  # PostgreSQL runs as another user
    return {"LD_PRELOAD": str(library)}

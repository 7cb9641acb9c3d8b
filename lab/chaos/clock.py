"""A clock that can be put back under a running program, by a small library laid before libc."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.stack.errors import StackError

# The shift is read from a mapped file at each call, so that it takes hold at once; the monotonic
# clock is left alone. (libfaketime 0.9.10 makes clock_nanosleep fail when its shift changes.)
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *shift;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("LAB_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    void *page = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) shift = page;
  }
}

int clock_gettime(clockid_t id, struct timespec *now) {
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(id, now);
  if (!failed && shift && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    now->tv_sec += *shift;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  int failed = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return failed;
}

time_t time(time_t *into) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (into) *into = exact.tv_sec;
  return exact.tv_sec;
}
"""
_COMPILE_SECONDS = 60.0
_REMEDY = "apt-get install gcc libc6-dev"


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """The wall clock of programs that start with `environ`; the monotonic one is left alone."""

    library: Path
    file: Path

    @property
    def environ(self) -> Mapping[str, str]:
        """Give what a program is started with, to go by this clock."""
        return {"LD_PRELOAD": str(self.library), "LAB_CLOCK": str(self.file)}

    def shift(self, seconds: int) -> None:
        """Put the clock so far from the true time, at once and for all that go by it."""
        with self.file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))


async def clock(folder: Path) -> Clock:
    """Make a clock that tells the true time at first; raises StackError without a C compiler."""
    source, library, file = (folder / name for name in ("clock.c", "clock.so", "clock"))
    source.write_text(_SOURCE, encoding="utf-8")
    file.write_bytes(struct.pack("=q", 0))
    await _compiled(source, library)
    return Clock(library=library, file=file)


async def _compiled(source: Path, library: Path) -> None:
    argv = ("cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl")
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), _COMPILE_SECONDS)
    except (OSError, TimeoutError) as error:
        raise StackError("the lab's clock", f"no C compiler ({error})", _REMEDY) from error
    if process.returncode != os.EX_OK:
        said = output.decode(errors="replace")
        raise StackError("the lab's clock", "does not compile", _REMEDY, output=said)

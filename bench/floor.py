"""What the kernel alone costs: the same exchanges by a loop in C that reads nothing of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Arguments: port, seconds, 1 to keep connections. Prints CPU microseconds per exchange.
_SOURCE = """
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
enum { LINKS = 32 };
static struct sockaddr_in there;
static int watched;
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static double used_microseconds(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 + r.ru_utime.tv_usec + r.ru_stime.tv_usec;
}
static void begin(void) {
    int one = 1, link = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(link, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connect(link, (struct sockaddr *) &there, sizeof there);
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = link};
    epoll_ctl(watched, EPOLL_CTL_ADD, link, &event);
}
int main(int count, char **given) {
    int keep = count > 3 && atoi(given[3]);
    const char *text = keep
        ? "GET / HTTP/1.1\\r\\nHost: a\\r\\nUser-Agent: c\\r\\nAccept: */*\\r\\n\\r\\n"
        : "GET / HTTP/1.1\\r\\nHost: a\\r\\nUser-Agent: c\\r\\nAccept: */*\\r\\n"
          "Connection: close\\r\\n\\r\\n";
    size_t length = strlen(text);
    char read[4096];
    long made = 0;
    there.sin_family = AF_INET;
    there.sin_port = htons(atoi(given[1]));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    watched = epoll_create1(0);
    double until = now() + atof(given[2]), before = used_microseconds();
    for (int i = 0; i < LINKS; i++) begin();
    while (now() < until) {
        struct epoll_event ready[LINKS];
        int found = epoll_wait(watched, ready, LINKS, 100);
        for (int i = 0; i < found; i++) {
            int link = ready[i].data.fd;
            if (ready[i].events & EPOLLOUT) {
                struct epoll_event event = {.events = EPOLLIN, .data.fd = link};
                if (send(link, text, length, MSG_NOSIGNAL) != (ssize_t) length) return 1;
                epoll_ctl(watched, EPOLL_CTL_MOD, link, &event);
                continue;
            }
            if (recv(link, read, sizeof read, 0) <= 0) return 1;
            made++;
            if (keep) {
                if (send(link, text, length, MSG_NOSIGNAL) != (ssize_t) length) return 1;
            } else {
                close(link);
                begin();
            }
        }
    }
    printf("%f\\n", (used_microseconds() - before) / made);
    return 0;
}
"""
_SECONDS = 60


def compiled(folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Compile the loop into *folder*; None where there is no C compiler."""
    compiler = shutil.which("cc", path=environ.get("PATH", ""))
    if compiler is None:
        return None
    source, program = folder / "floor.c", folder / "floor"
    source.write_text(_SOURCE, encoding="utf-8")
    subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True, timeout=_SECONDS)
    return program

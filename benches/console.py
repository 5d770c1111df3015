#!/usr/bin/env python3
"""First paint, memory, and bytes and CPU while nothing happens, of the console on a real pseudo-terminal (80x24).

usage: console.py BINARY HOME [--peer htop] [--idle SECONDS] [--quiet SECONDS]
HOME is a home with a swarm in it whose hosts answer: the demo's, or any other.
"""
import argparse
import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time

PAINT_MS, RSS_MB, IDLE_BYTES = 40, 40, 2000


class Screen:
    """A program on a pseudo-terminal of its own."""

    def __init__(self, argv, environment=None):
        self.begun = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.execvpe(argv[0], argv, {**os.environ, "TERM": "xterm-256color", **(environment or {})})
        self.seen = b""

    def read(self, seconds):
        """What comes within so many seconds; stops at the first piece."""
        ready, _, _ = select.select([self.fd], [], [], max(0, seconds))
        if not ready:
            return b""
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.seen += piece
        return piece

    def until(self, pattern, limit=20):
        """Seconds from the start until the pattern is in what was painted (escape sequences left out)."""
        while time.monotonic() - self.begun < limit:
            self.read(0.5)
            if re.search(pattern, text(self.seen)):
                return time.monotonic() - self.begun
        raise SystemExit(f"{pattern!r} was not painted within {limit} s: {text(self.seen)!r}")

    def during(self, seconds):
        """How many bytes are written in that time, and what they are."""
        end, got = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            got += self.read(end - time.monotonic())
        return got

    def memory(self):
        """Resident memory now and at most, in MB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status if ":" in line)
        return tuple(int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))

    def cpu(self):
        """Seconds of CPU so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def text(painted):
    """What was painted, in the order of painting; cursor moves are blanks."""
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]", b" ", painted).decode("utf-8", "replace")


def paints(argv, pattern, times, environment=None):
    """Milliseconds of each first paint."""
    taken = []
    for _ in range(times):
        screen = Screen(argv, environment)
        taken.append(screen.until(pattern) * 1000)
        screen.end()
    return taken


def row(what, ours, peer, target, fine):
    print(f"| {what} | {ours} | {peer} | {target} | {'ok' if fine else 'MISSED'} |", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("binary")
    arguments.add_argument("home")
    arguments.add_argument("--swarm", default="shop-prod-web", help="painted once the dash shows a swarm")
    arguments.add_argument("--peer", default="htop")
    arguments.add_argument("--quiet", type=float, default=20)
    arguments.add_argument("--idle", type=float, default=60)
    arguments.add_argument("--times", type=int, default=9)
    given = arguments.parse_args()
    ours, environment = [given.binary, "--home", given.home], {}
    frame = r"(?s)SWARM.*" + re.escape(given.swarm)
    mine, theirs = [], []
    # In turns, so that both have the same neighbours.
    for _ in range(given.times):
        mine += paints(ours, frame, 1, environment)
        if subprocess.run(["which", given.peer], capture_output=True, check=False).returncode == 0:
            theirs += paints([given.peer], r"PID", 1)
    middle = statistics.median(mine)
    peer = f"{given.peer} {statistics.median(theirs):.0f} ms" if theirs else f"no {given.peer} here"
    row("first paint: title and a swarm's row", f"{middle:.0f} ms ({min(mine):.0f} to {max(mine):.0f})", peer, f"<= {PAINT_MS} ms", middle <= PAINT_MS)

    screen = Screen(ours, environment)
    screen.until(frame)
    # Until every host was asked at least twice.
    screen.during(10)
    # A minute that turns in an age is a displayed value that changed: then the next window counts.
    for _ in range(3):
        quiet = screen.during(given.quiet)
        if not quiet:
            break
    row(f"bytes written in {given.quiet:.0f} s, no displayed value changes", len(quiet), "", "0", not quiet)
    if quiet:
        print("  wrote:", text(quiet)[:300].strip(), file=sys.stderr)
    cpu = screen.cpu()
    idle = screen.during(given.idle)
    cpu = screen.cpu() - cpu
    minute = len(idle) * 60 / given.idle
    row("bytes written a minute, idle fleet", f"{minute:.0f}", "", f"<= {IDLE_BYTES}", minute <= IDLE_BYTES)
    if idle:
        print("  wrote:", text(idle)[:300].strip(), file=sys.stderr)
    row("CPU of the console over that time", f"{100 * cpu / given.idle:.1f} % of one core", "", "", True)
    now, most = screen.memory()
    row("memory, resident (most)", f"{now:.1f} MB ({most:.1f})", "", f"<= {RSS_MB} MB", most <= RSS_MB)
    screen.end()


if __name__ == "__main__":
    main()

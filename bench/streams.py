#!/usr/bin/env python3
"""Streamed answers through the door: time to the first token, pauses, and what open streams cost in memory.

    cargo xtask bench streams        (or: python3 bench/streams.py [--requests 2000] [--open 1000])

A scripted upstream answers at once with one event, and goes on every two seconds where streams are to stay open.
The same requests go to it directly and through the door, alternating, with masking off, in shadow and in enforce; the
difference of the medians and of the 99th percentiles is what the door adds. Loopback only.
"""
import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"A plain word, "}}]}\n\n'
BODY = json.dumps({"model": "mock", "stream": True, "messages": [{"role": "user", "content": "Say something."}]}).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def answer(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.I)
            await reader.readexactly(int(length[1]) if length else 0)
            writer.write(HEAD + chunk(EVENT))
            await writer.drain()
            for _ in range(60 if b"x-stay: yes" in head.lower() else 0):
                await asyncio.sleep(2)
                writer.write(chunk(EVENT))
                await writer.drain()
            writer.write(chunk(EVENT) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


def request(key: str, stay: bool) -> bytes:
    more = b"x-stay: yes\r\n" if stay else b""
    return (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" + more
            + b"authorization: Bearer " + key.encode() + b"\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)


async def first_tokens(port: int, key: str, count: int) -> list[float]:
    """Milliseconds from the request to the first event, one after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for _ in range(count):
        start = time.perf_counter()
        writer.write(request(key, False))
        seen = b""
        while b'"delta"' not in seen:
            piece = await reader.read(65536)
            if not piece:
                sys.exit(f"the connection broke off: {seen!r}")
            seen += piece
        times.append((time.perf_counter() - start) * 1e3)
        while not seen.endswith(b"0\r\n\r\n"):
            seen += await reader.read(65536)
    writer.close()
    return times


def anonymous_kib(pid: int) -> int:
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def at(times: list[float], share: float) -> float:
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


class Door:
    def __init__(self, folder: Path, upstream: int, mode: str):
        folder.mkdir()
        (folder / "bartizan.toml").write_text(
            "[gateway]\nrequests_per_second = 4000000\nburst = 4000000\nconcurrency = 4096\nconcurrency_per_principal = 4096\n"
            f"connections_per_address = 4096\n[gateway.prompts]\nmode = \"off\"\n[gateway.redaction]\nmode = \"{mode}\"\n")
        self.process = subprocess.Popen(
            [TARGET / "release/bartizan", "up", "--format", "json", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0",
             "--upstream", f"http://127.0.0.1:{upstream}", "--durability", "overlap"],
            cwd=folder, env={**os.environ, "XDG_STATE_HOME": str(folder / "xdg")}, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        said = json.loads(self.process.stdout.readline())
        self.port, self.key, self.console = int(said["endpoint"].rsplit(":", 1)[1]), said["key"], said["console"]


async def measure(arguments: argparse.Namespace, folder: Path) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 20)
    upstream = server.sockets[0].getsockname()[1]
    doors = {mode: Door(folder / mode, upstream, mode) for mode in ("off", "shadow", "enforce")}
    try:
        direct, through = [], {mode: [] for mode in doors}
        rounds = 10
        for _ in range(rounds):
            direct += await first_tokens(upstream, "none", arguments.requests // rounds)
            for mode, door in doors.items():
                through[mode] += await first_tokens(door.port, door.key, arguments.requests // rounds)
        print(f"time to first token, {len(direct)} streams each, one at a time; milliseconds")
        print(f"{'':<18}{'p50':>8}{'p99':>8}{'added p50':>11}{'added p99':>11}")
        print(f"{'direct':<18}{at(direct, .5):>8.2f}{at(direct, .99):>8.2f}")
        for mode, times in through.items():
            print(f"masking {mode:<10}{at(times, .5):>8.2f}{at(times, .99):>8.2f}{at(times, .5) - at(direct, .5):>11.2f}{at(times, .99) - at(direct, .99):>11.2f}")
        text = subprocess.run(["curl", "-s", f"{doors['off'].console}/metrics"], capture_output=True, text=True).stdout
        sync = re.search(r"^bartizan_ledger_fdatasync_p99_microseconds (\S+)$", text, re.M)
        if sync:
            print(f"fdatasync p99 of this run: {float(sync[1]) / 1e3:.2f} ms (the first byte waits for the admission's)")
        for mode in ("off", "enforce"):
            door = doors[mode]
            idle = anonymous_kib(door.process.pid)
            streams = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", door.port) for _ in range(arguments.open)))
            for _, writer in streams:
                writer.write(request(door.key, True))
            for reader, _ in streams:
                await reader.readuntil(b'"delta"')
            await asyncio.sleep(5)
            held = anonymous_kib(door.process.pid)
            print(f"{arguments.open} open streams, masking {mode}: {(held - idle) / 1024:.1f} MiB over idle ({idle / 1024:.1f} MiB)")
            for _, writer in streams:
                writer.close()
            await asyncio.sleep(1)
    finally:
        for door in doors.values():
            door.process.terminate()
        for door in doors.values():
            door.process.wait()
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--open", type=int, default=1000)
    parser.add_argument("--no-build", action="store_true", help="measure the binary that lies there")
    arguments = parser.parse_args()
    if not arguments.no_build:
        subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "bartizan-cli"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(arguments, Path(name)))


if __name__ == "__main__":
    main()

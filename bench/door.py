#!/usr/bin/env python3
"""The door against a bare hyper proxy and nginx, before the same upstream, alternating.

    cargo xtask bench door        (or: python3 bench/door.py [--rounds 3] [--seconds 2] [--requests 200000])

Prints CPU microseconds per request (from /proc/PID/stat, client and upstream excluded), p50/p99 per
durability mode beside the fdatasync p99 of the same run, ratios to the bare proxy; and start to
ready, idle anonymous memory, growth over many requests, and the size of the stripped binary.
Needs nginx and wrk (Debian: apt-get install nginx wrk); loopback only.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BODY = json.dumps({"model": "mock", "messages": [{"role": "user", "content": "x" * 85}]})
# Keys, policies, limits, ledger, metrics; what looks into answers is measured with --inspect.
LIMITS = "[gateway]\nrequests_per_second = 4000000\nburst = 4000000\n"
DOOR = '[gateway.redaction]\nmode = "off"\n[gateway.prompts]\nmode = "off"\n'
INSPECT = '[gateway.redaction]\nmode = "enforce"\n[gateway.prompts]\nmode = "enforce"\n'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    until = time.time() + 20
    while time.time() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"nothing listens on {port}")


def processes(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [p for child in children for p in processes(int(child))]


def cpu_seconds(pid: int) -> float:
    total = 0
    for process in processes(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def anonymous_kib(pid: int) -> int:
    return sum(int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{p}/status").read_text())[1]) for p in processes(pid))


class Bartizan:
    """One `bartizan up` in a folder of its own."""

    def __init__(self, folder: Path, arguments: list[str]):
        folder.mkdir()
        (folder / "bartizan.toml").write_text(LIMITS + (INSPECT if "--inspect" in sys.argv else DOOR))
        environment = {**os.environ, "XDG_STATE_HOME": str(folder / "xdg"), "TOKIO_WORKER_THREADS": "1"}
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [TARGET / "release/bartizan", "up", "--format", "json", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", *arguments],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        said = json.loads(self.process.stdout.readline())
        self.ready_seconds = time.perf_counter() - began
        self.port = int(said["endpoint"].rsplit(":", 1)[1])
        self.console = said["console"]
        self.key = said["key"]
        self.pid = self.process.pid

    def metric(self, name: str) -> float:
        text = urllib.request.urlopen(f"{self.console}/metrics").read().decode()
        found = re.search(rf"^{name} (\S+)$", text, re.M)
        return float(found[1]) if found else float("nan")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def wrk(port: int, seconds: float, connections: int, script: Path) -> dict:
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, check=True).stdout
    number = lambda pattern: re.search(pattern, output)
    if number(r"Non-2xx or 3xx responses: (\d+)"):
        sys.exit(f"not all answers were good:\n{output}")
    units = {"us": 1e-3, "ms": 1, "s": 1000}
    latency = lambda percent: (lambda m: float(m[1]) * units[m[2]])(number(rf"{percent}%\s+([\d.]+)(us|ms|s)"))
    return {"requests": int(number(r"(\d+) requests in")[1]), "rps": float(number(r"Requests/sec:\s+([\d.]+)")[1]),
            "p50": latency(50), "p99": latency(99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--inspect", action="store_true", help="with prompts judged, secrets and personal data masked in answers")
    parser.add_argument("--no-build", action="store_true", help="measure the binaries that lie there")
    arguments = parser.parse_args()
    for tool in ("nginx", "wrk"):
        if not (shutil.which(tool) or Path(f"/usr/sbin/{tool}").exists()):
            print(f"skipped: {tool} is missing (Debian: apt-get install {tool})")
            return
    nginx_binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not arguments.no_build:
        packages = ["--package", "bartizan-cli", "--package", "bartizan-bench-proxies"]
        subprocess.run(["cargo", "build", "--quiet", "--release", *packages], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), nginx_binary, arguments)


def measure(folder: Path, nginx_binary: str, arguments: argparse.Namespace) -> None:
    running = []
    try:
        upstream, bare, nginx = free_port(), free_port(), free_port()
        running.append(subprocess.Popen([TARGET / "release/mock_upstream", f"127.0.0.1:{upstream}"]))
        wait_for(upstream)
        running.append(subprocess.Popen([TARGET / "release/bare_proxy", f"127.0.0.1:{bare}", f"127.0.0.1:{upstream}"]))
        config = folder / "nginx.conf"
        config.write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000000;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{nginx}; location / {{ proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
""")
        running.append(subprocess.Popen([nginx_binary, "-c", str(config)], stderr=subprocess.DEVNULL))
        wait_for(bare)
        wait_for(nginx)
        doors = {mode: Bartizan(folder / mode, ["--upstream", f"http://127.0.0.1:{upstream}", "--durability", mode])
                 for mode in ("overlap", "strict", "batched")}
        running.extend(door.process for door in doors.values())
        targets = {"nginx": (nginx, running[2].pid, ""), "bare hyper": (bare, running[1].pid, "")}
        targets |= {f"bartizan {mode}": (door.port, door.pid, door.key) for mode, door in doors.items()}
        report(folder, targets, doors, arguments)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def report(folder: Path, targets: dict, doors: dict, arguments: argparse.Namespace) -> None:
    scripts, figures = {}, {name: [] for name in targets}
    for name, (_, _, key) in targets.items():
        scripts[name] = folder / f"{name.replace(' ', '-')}.lua"
        scripts[name].write_text(
            f'wrk.method = "POST"\nwrk.path = "/v1/chat/completions"\nwrk.body = [[{BODY}]]\n'
            f'wrk.headers["content-type"] = "application/json"\nwrk.headers["authorization"] = "Bearer {key}"\n')
    for name, (port, _, _) in targets.items():
        wrk(port, 1, 16, scripts[name])
    for _ in range(arguments.rounds):
        for name, (port, pid, _) in targets.items():
            before = cpu_seconds(pid)
            run = wrk(port, arguments.seconds, 16, scripts[name])
            run["cpu"] = (cpu_seconds(pid) - before) * 1e6 / run["requests"]
            figures[name].append(run)
    median = lambda name, key: statistics.median(run[key] for run in figures[name])
    print(f"{'proxy':<18}{'CPU us/request':>15}{'x bare hyper':>14}{'x nginx':>9}{'requests/s':>12}{'p50 ms':>8}{'p99 ms':>8}")
    for name in targets:
        cpu = median(name, "cpu")
        print(f"{name:<18}{cpu:>15.1f}{cpu / median('bare hyper', 'cpu'):>14.2f}{cpu / median('nginx', 'cpu'):>9.2f}"
              f"{median(name, 'rps'):>12.0f}{median(name, 'p50'):>8.2f}{median(name, 'p99'):>8.2f}")
    for mode, door in doors.items():
        print(f"fdatasync p99 of this run, {mode}: {door.metric('bartizan_ledger_fdatasync_p99_microseconds') / 1000:.2f} ms")

    fresh = Bartizan(folder / "fresh", [])
    time.sleep(1)
    print(f"start to ready (first start, shipped model): {fresh.ready_seconds:.3f} s")
    print(f"idle anonymous memory: {anonymous_kib(fresh.pid) / 1024:.1f} MiB")
    fresh.stop()
    door = doors["overlap"]
    port, pid, _ = targets["bartizan overlap"]
    before, done, settled = anonymous_kib(pid), 0, None
    while done < arguments.requests:
        done += wrk(port, 5, 16, scripts["bartizan overlap"])["requests"]
        if settled is None and done >= 100_000:
            settled = (done, anonymous_kib(pid))
    print(f"growth over {done} requests: {(anonymous_kib(pid) - before) / 1024:.1f} MiB (from {before / 1024:.1f} MiB; {door.metric('bartizan_watch_dropped'):.0f} messages dropped by the bus)")
    if settled:
        print(f"growth after the first {settled[0]} of them: {(anonymous_kib(pid) - settled[1]) / 1024:.1f} MiB")
    stripped = folder / "stripped"
    subprocess.run(["strip", "-o", stripped, TARGET / "release/bartizan"], check=True)
    print(f"stripped binary: {stripped.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

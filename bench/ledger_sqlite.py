"""Durable inserts per second of SQLite (Python's sqlite3 over the C library; WAL, synchronous=FULL).

One connection commits transactions of BATCH rows with executemany for SECONDS seconds into
FOLDER/peer.sqlite; the rows are prepared before the clock starts, so that what is measured is
SQLite's insert and commit. Prints `<rows per second> <commits> <p50 ms> <p99 ms> <version>`.
"""

import os
import sqlite3
import sys
import time

folder, batch, size, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
path = os.path.join(folder, "peer.sqlite")
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=FULL")
connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
rows = [(os.urandom(size),) for _ in range(batch)]
times = []
start = time.monotonic()
while time.monotonic() - start < seconds:
    before = time.monotonic()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO entry (body) VALUES (?)", rows)
    connection.execute("COMMIT")
    times.append(time.monotonic() - before)
elapsed = time.monotonic() - start
connection.close()
for suffix in ("", "-wal", "-shm"):
    if os.path.exists(path + suffix):
        os.remove(path + suffix)
times.sort()
quantile = lambda q: 1000 * times[min(len(times) - 1, int(q * len(times)))]
print(len(times) * batch / elapsed, len(times), quantile(0.5), quantile(0.99), sqlite3.sqlite_version)

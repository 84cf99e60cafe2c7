"""Honest clients for a day: what they send, as batches of rows."""
import numpy as np

KINDS = ("natural", "clustered", "drifting", "heavy", "batch")


def day(kind, victim, rng):
    pool, spread = victim.pool, victim.pool.std(0)
    draw = lambda count, rows=pool: rows[rng.integers(len(rows), size=count)]
    if kind == "natural":
        return list(draw(300)[:, None])
    if kind == "clustered":  # one class, or the surroundings of one row
        if rng.random() < 0.5:
            rows = pool[victim.labels == rng.choice(victim.labels)]
        else:
            scaled = pool / np.maximum(spread, 1e-6)
            rows = pool[((scaled - scaled[rng.integers(len(pool))]) ** 2).sum(1).argsort()[:max(30, len(pool) // 10)]]
        return list(draw(300, rows)[:, None])
    if kind == "drifting":  # a third of the sensors wander by half a standard deviation over the day
        way = spread * rng.choice([-0.5, 0.5, 0, 0, 0, 0], size=len(spread))
        # Each row once: the same one drifted a little further would be a repetition that no sensor sends.
        rows = pool[rng.permutation(len(pool))[:300]]
        rows = rows + np.linspace(0, 1, len(rows))[:, None] * way
        return list(victim.fit_to_form(rows)[:, None])
    if kind == "heavy":
        return list(draw(3000)[:, None])
    return np.array_split(draw(1024), 16)  # batch

"""Extractors: which rows they ask, in which order; and how good the copy is after so many."""
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

KINDS = ("knockoff", "random", "jacobian", "k-center")
# What asks as customers do: reported, and known to be beyond this detector.
HIDDEN = ("natural", "natural k-center")


def queries(kind, victim, budget, rng):
    if kind == "knockoff":  # Orekondy et al. 2019: other natural data
        return victim.other[rng.permutation(len(victim.other))[:budget]]
    if kind == "random":  # Tramer et al. 2016
        return victim.fit_to_form(rng.uniform(victim.low, victim.high, (budget, len(victim.low))))
    if kind == "jacobian":
        return jacobian(victim, budget, rng)
    if kind == "k-center":  # ActiveThief, Pal et al. 2020, with other natural data
        return k_center(victim.other, budget, rng)
    if kind == "natural":
        return victim.pool[rng.permutation(len(victim.pool))[:budget]]
    return k_center(victim.pool, budget, rng)


def jacobian(victim, budget, rng):
    """Jacobian-based augmentation (Papernot et al. 2017): a few natural seeds, doubled six times; each
    round pushes every row a tenth of the range along the sign of the copy's slope for its class."""
    rows = victim.pool[rng.permutation(len(victim.pool))[:max(6, budget // 64)]]
    step = 0.1 * (victim.high - victim.low)
    while len(rows) < budget:
        labels = victim.answers(rows).argmax(1)
        if len(set(labels)) < 2:
            signs = np.sign(rng.normal(size=rows.shape))
        else:
            copy = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(rows, labels)
            slopes = copy[-1].coef_
            slopes = np.vstack([-slopes, slopes]) if len(slopes) == 1 else slopes
            places = np.searchsorted(copy[-1].classes_, labels)
            signs = np.sign(slopes[places])
        rows = np.vstack([rows, victim.fit_to_form(rows + step * signs)])
    return rows[:budget].astype(np.float32)


def k_center(pool, budget, rng):
    """Greedy farthest-first traversal in standardized features."""
    scaled = (pool - pool.mean(0)) / np.maximum(pool.std(0), 1e-6)
    chosen = [int(rng.integers(len(pool)))]
    nearest = ((scaled - scaled[chosen[0]]) ** 2).sum(1)
    while len(chosen) < min(budget, len(pool)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((scaled - scaled[chosen[-1]]) ** 2).sum(1))
    return pool[chosen]


def fidelity(victim, rows, answers):
    """Share of customers' rows that the copy answers as the victim does. The copy is a network that is
    fitted to the logarithms of the scores, which uses all that they say."""
    truth = victim.answers(victim.pool).argmax(1)
    if len(rows) < 2:
        return float((truth == np.bincount(truth).argmax()).mean()) if len(rows) == 0 else float((truth == answers[0].argmax()).mean())
    copy = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(64,), max_iter=200, random_state=0, alpha=1e-3))
    copy.fit(rows, np.log(np.clip(answers, 1e-3, 1.0)))
    guess = copy.predict(victim.pool)
    return float((guess.argmax(1) == truth).mean())


def solved(victim, rows, answers):
    """Share of customers' rows on which a copy by solving equations agrees (Tramer et al. 2016): of softmax
    regression, logarithms of scores are linear in the features. Where labels serve the attacker better, it
    takes those."""
    truth = victim.answers(victim.pool).argmax(1)
    scale = StandardScaler().fit(rows)
    system = np.c_[scale.transform(rows), np.ones(len(rows))]
    weights = np.linalg.lstsq(system, np.log(np.clip(answers, 1e-12, 1.0)), rcond=None)[0]
    guess = (np.c_[scale.transform(victim.pool), np.ones(len(victim.pool))] @ weights).argmax(1)
    agree = (guess == truth).mean()
    labels = answers.argmax(1)
    if len(set(labels)) > 1:
        by_label = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, labels)
        agree = max(agree, (by_label.predict(victim.pool) == truth).mean())
    return float(agree)


def hardened(answers):
    """What `top_k = 1, decimals = 2` leaves, filled up by the attacker as well as it can be: what is
    missing to one is spread evenly over the other classes."""
    best = answers.argmax(1)
    top = np.round(answers.max(1), 2)
    rest = (1 - top) / (answers.shape[1] - 1)
    filled = np.repeat(rest[:, None], answers.shape[1], 1)
    filled[np.arange(len(answers)), best] = top
    return filled

"""Models of scikit-learn size to extract, with the data that their customers have."""
import dataclasses
import warnings

import numpy as np
from sklearn.datasets import (load_breast_cancer, load_digits, load_sample_images, load_wine,
                              make_classification)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
NAMES = ("digits", "cancer", "wine", "synthetic")
PROFILE = 256


@dataclasses.dataclass
class Victim:
    name: str
    model: object
    profile: np.ndarray  # rows that the owner registers
    pool: np.ndarray  # rows that customers have; none is in the profile
    labels: np.ndarray  # their true classes
    low: np.ndarray
    high: np.ndarray
    whole: bool  # whether features are whole numbers
    other: np.ndarray  # natural data of another kind, brought into the features' ranges

    def answers(self, rows):
        return self.model.predict_proba(rows)

    def fit_to_form(self, rows):
        rows = np.clip(rows, self.low, self.high)
        return (np.round(rows) if self.whole else rows).astype(np.float32)


def victim(name, seed, linear=False):
    """The victim of that name whose split, weights and profile follow from the seed: a network, or
    softmax regression."""
    rng = np.random.default_rng([seed, NAMES.index(name)])
    rows, labels = data(name, seed)
    order = rng.permutation(len(rows))
    half = len(rows) // 2
    train, rest = order[:half], order[half:]
    learner = LogisticRegression(max_iter=1000) if linear else MLPClassifier((64,), max_iter=300, random_state=seed)
    model = make_pipeline(StandardScaler(), learner)
    model.fit(rows[train], labels[train])
    low, high = rows.min(0), rows.max(0)
    other = thief(name, rng, low, high)
    made = Victim(name, model, rows[train][:PROFILE].astype(np.float32), rows[rest].astype(np.float32),
                  labels[rest], low, high, name == "digits", other)
    made.other = made.fit_to_form(made.other)
    return made


def data(name, seed):
    if name == "synthetic":
        return make_classification(6000, 20, n_informative=10, n_redundant=5, n_classes=5,
                                   n_clusters_per_class=2, class_sep=1.5, random_state=1000 + seed)
    load = {"digits": load_digits, "cancer": load_breast_cancer, "wine": load_wine}[name]
    return load(return_X_y=True)


def thief(name, rng, low, high):
    """What an extractor without the owner's data takes instead: photographs for digits, for tables the
    rows of another table, each feature stretched to the range of the one that it stands for."""
    if name == "digits":
        patches = []
        for image in load_sample_images().images:
            grey = image.mean(2)
            for _ in range(1000):
                y, x = rng.integers(0, grey.shape[0] - 32), rng.integers(0, grey.shape[1] - 32)
                patch = grey[y:y + 32, x:x + 32].reshape(8, 4, 8, 4).mean((1, 3)).ravel()
                patches.append((patch - patch.min()) / max(np.ptp(patch), 1.0) * 16)
        return np.array(patches)[rng.permutation(len(patches))]
    rows = {"cancer": load_digits, "wine": load_breast_cancer, "synthetic": load_digits}[name](return_X_y=True)[0]
    varied = np.flatnonzero(rows.std(0) > 0.3 * rows.std(0).max() if name != "wine" else rows.std(0) > 0)
    rows = rows[:, rng.permutation(varied)[:len(low)]]
    bottom, top = np.percentile(rows, [1, 99], axis=0)
    stretched = low + (np.clip(rows, bottom, top) - bottom) / np.maximum(top - bottom, 1e-9) * (high - low)
    return stretched[rng.permutation(len(stretched))]

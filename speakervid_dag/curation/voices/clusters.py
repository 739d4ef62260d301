"""Clustering of voice embeddings in order of time: how many voices there are, and which speaks when.

Belongs here: embeddings of short windows in, one label per window out. Does not belong here: speech regions, turns,
speaker labels (diarization.py), the embedding network (models/voice.py).

Method: agglomerative clustering first gives more clusters than there are voices. Then two steps alternate: a Viterbi
pass assigns every window to the nearest voice, with a price on each change of speaker (lower across a pause), and the
two least separated clusters are merged. This stops when all are separated well enough for the amount of sound they
hold. Finally, a cluster that lies between two others is those two voices at once (overlaps.py finds where), and its
windows are given to them.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation.voices.overlaps import mixture

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
BLOCK_ROWS = 512  # rows of the similarity matrix held at once


def smoothed_path(scores: NDArray[np.float64], change_price: NDArray[np.float64]) -> Labels:
    """Return the most likely sequence of speakers.

    Args:
        scores: (t, k) log-likelihood of each window for each speaker.
        change_price: (t,) cost of a change of speaker between windows i - 1 and i.

    Returns:
        (t,) int64 speaker of each window.
    """
    steps, speakers = scores.shape
    best = scores[0].astype(np.float64)
    came_from = np.zeros((steps, speakers), dtype=np.int64)
    everyone = np.arange(speakers)
    for t in range(1, steps):
        leader = int(best.argmax())
        changed = best[leader] - change_price[t]
        came_from[t] = np.where(best >= changed, everyone, leader)
        best = np.maximum(best, changed) + scores[t]
    path = np.empty(steps, dtype=np.int64)
    path[-1] = best.argmax()
    for t in range(steps - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


def _compact(labels: Labels) -> Labels:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _centres(embeddings: Floats, labels: Labels) -> Floats:
    return unit(np.stack([embeddings[labels == k].mean(axis=0) for k in range(labels.max() + 1)]))


def resegment(
    embeddings: Floats, times_s: NDArray[np.float64], labels: Labels, settings: DiarizationSettings
) -> Labels:
    """Alternate voice centres and Viterbi until no window changes; clusters left without windows are dropped."""
    price = _change_prices(times_s, settings)
    for _ in range(settings.resegmentation_passes):
        scores = settings.score_scale * (embeddings @ _centres(embeddings, labels).T)
        moved = _compact(smoothed_path(scores.astype(np.float64), price))
        if len(moved) == len(labels) and (moved == labels).all():
            break
        labels = moved
    return labels


def _change_prices(times_s: NDArray[np.float64], settings: DiarizationSettings) -> NDArray[np.float64]:
    pauses = np.maximum(0.0, np.diff(times_s, prepend=times_s[:1]) - settings.hop_s)
    return np.asarray(settings.change_price / (1 + pauses / settings.pause_scale_s))


def _sample_step(count: int, settings: DiarizationSettings) -> int:
    return max(1, -(-count // settings.max_windows))


class _Similarity:
    """Mean cosines within and between clusters over windows that share no sound, and the seconds of new sound in each.

    A sentence heard twice (cosine above settings.repeat_cosine) counts once in `new_s`: it is no further evidence.
    """

    def __init__(
        self, embeddings: Floats, times_s: NDArray[np.float64], labels: Labels, settings: DiarizationSettings
    ) -> None:
        count = int(labels.max()) + 1
        step = _sample_step(len(labels), settings)
        embeddings, times_s, labels = embeddings[::step], times_s[::step], labels[::step]
        members = np.eye(count, dtype=np.float32)[labels]
        self.sums = np.zeros((count, count))
        self.pairs = np.zeros((count, count))
        self.new_s = np.zeros(count)
        for at in range(0, len(labels), BLOCK_ROWS):
            rows = slice(at, at + BLOCK_ROWS)
            cosines = embeddings[rows] @ embeddings.T
            far = (np.abs(times_s[rows, None] - times_s[None]) >= settings.window_s).astype(np.float32)
            alike = (cosines > settings.repeat_cosine).astype(np.float32)
            self.sums += members[rows].T @ (cosines * far) @ members
            self.pairs += members[rows].T @ far @ members
            near_share = (alike * (1 - far)).sum(axis=1) / alike.sum(axis=1)
            self.new_s += members[rows].T @ near_share * (settings.hop_s * step)

    def within(self, k: int, settings: DiarizationSettings) -> float:
        """Return the mean cosine within a cluster, shrunk towards that of a single voice and never above it."""
        prior = settings.prior_pairs
        mean = (self.sums[k, k] / 2 + prior * settings.same_voice) / (self.pairs[k, k] / 2 + prior)
        return float(min(mean, settings.same_voice))

    def between(self, i: int, j: int, centres: Floats) -> float:
        if self.pairs[i, j] > 0:
            return float(self.sums[i, j] / self.pairs[i, j])
        return float(centres[i] @ centres[j])


def _visits(labels: Labels, i: int, j: int) -> int:
    """Return how often the rarer of two voices takes over from the other."""
    sequence = labels[(labels == i) | (labels == j)]
    begins = sequence[np.concatenate([[True], np.diff(sequence) != 0])]
    return int(min((begins == i).sum(), (begins == j).sum()))


def closest_pair(
    embeddings: Floats,
    times_s: NDArray[np.float64],
    labels: Labels,
    settings: DiarizationSettings,
) -> tuple[float, int, int]:
    """Return the two least separated clusters: (separation divided by the required separation, i, j).

    Separation is the mean cosine within the two clusters minus that between them. The separation that one voice shows
    by chance shrinks with the sound in the shorter cluster, and with how often the two alternate: drift of one voice,
    or of the room, gives two clusters that follow each other once.
    """
    similarity = _Similarity(embeddings, times_s, labels, settings)
    centres = _centres(embeddings, labels)
    ranked = []
    for i, j in itertools.combinations(range(len(centres)), 2):
        own = (similarity.within(i, settings) + similarity.within(j, settings)) / 2
        new_s = max(settings.hop_s, min(similarity.new_s[i], similarity.new_s[j]))
        visits = max(1.0, min(_visits(labels, i, j), new_s / settings.window_s))  # short visits do not count in full
        asked = settings.separation + settings.separation_visit / visits + settings.separation_s / new_s
        ranked.append(((own - similarity.between(i, j, centres)) / asked, i, j))
    return min(ranked)


def cluster_voices(embeddings: Floats, times_s: NDArray[np.float64], settings: DiarizationSettings) -> Labels:
    """Return one voice label per window.

    Args:
        embeddings: (t, d) float32 of unit length, in order of time.
        times_s: (t,) float64, centres of the windows.

    Returns:
        (t,) int64 labels 0 … k-1.
    """
    if len(embeddings) < 3:
        return np.zeros(len(embeddings), dtype=np.int64)
    labels = resegment(embeddings, times_s, _first_guess(embeddings, settings), settings)
    while labels.max() > 0:
        ratio, i, j = closest_pair(embeddings, times_s, labels, settings)
        if ratio >= 1:
            break
        labels = resegment(embeddings, times_s, _compact(np.where(labels == j, i, labels)), settings)
    return without_mixtures(embeddings, times_s, labels, settings)


def without_mixtures(
    embeddings: Floats, times_s: NDArray[np.float64], labels: Labels, settings: DiarizationSettings
) -> Labels:
    """Dissolve clusters that are two other voices at once; give each window to the nearest remaining voice.

    The windows that a voice receives do not move its centre.
    """
    centres = _centres(embeddings, labels)
    kept = list(range(len(centres)))
    while (mixed := _most_mixed(centres, kept, labels, settings)) is not None:
        kept.remove(mixed)
    if len(kept) == len(centres):
        return labels
    scores = settings.score_scale * (embeddings @ centres[kept].T)
    return _compact(smoothed_path(scores.astype(np.float64), _change_prices(times_s, settings)))


def _most_mixed(centres: Floats, kept: list[int], labels: Labels, settings: DiarizationSettings) -> int | None:
    """Return the smallest cluster that is a mixture of two others; never the largest of the three."""
    sizes = np.bincount(labels, minlength=len(centres))
    mixed = []
    for k in kept:
        for i, j in itertools.combinations([other for other in kept if other != k], 2):
            cosine, share = mixture(centres[k : k + 1], centres[i], centres[j])
            explained = cosine[0] >= settings.mixture_cosine and share[0] >= settings.mixture_share
            if explained and sizes[k] < max(sizes[i], sizes[j]):
                mixed.append((int(sizes[k]), k))
    return min(mixed)[1] if mixed else None


def _first_guess(embeddings: Floats, settings: DiarizationSettings) -> Labels:
    """Cluster a regular sample of the windows by average linkage; the others join the nearest cluster."""
    from scipy.cluster.hierarchy import fcluster, linkage

    step = _sample_step(len(embeddings), settings)
    sample = embeddings[::step]
    tree = linkage(sample, method="average", metric="cosine")
    found = _compact(fcluster(tree, settings.first_clusters, criterion="maxclust"))
    if step == 1:
        return found
    return _compact((embeddings @ _centres(sample, found).T).argmax(axis=1).astype(np.int64))

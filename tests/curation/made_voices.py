"""Voice embeddings drawn from a model of GE2E's, and speech probabilities, of a script of who speaks when.

Belongs here: what the tests of diarization hear. Does not belong here: sound, faces (conversations.py).
"""

import numpy as np

HOP_S = 0.032
Script = list[tuple[str, float, float]]


def voices(names: str, between: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Centres with cosine `between` / 0.76 to each other, so that windows have cosine `between`."""
    shared, *own = np.linalg.qr(rng.standard_normal((256, len(names) + 1)))[0].T
    share = between / 0.76
    return {name: np.sqrt(share) * shared + np.sqrt(1 - share) * o for name, o in zip(names, own, strict=True)}


def embeddings_of(
    script: Script, centres_s: np.ndarray, between: float = 0.6, seed: int = 0, half_s: float = 0.8
) -> np.ndarray:
    """Windows of 2 * half_s: the mixture of voices under each, and noise that windows share as they share sound."""
    rng = np.random.default_rng(seed)
    centre = voices("".join(sorted({name for name, _, _ in script})), between, rng)
    grid = np.arange(0, max(end for _, _, end in script) + 2, 0.1)
    noise = rng.standard_normal((len(grid) + 16, 256)) / 16
    out = []
    for at in centres_s:
        shares = dict.fromkeys(centre, 0.0)
        for name, start, end in script:
            shares[name] += max(0.0, min(end, at + half_s) - max(start, at - half_s))
        total = sum(shares.values())
        first = round(at / 0.1)
        mean = sum(share / total * centre[n] for n, share in shares.items())
        vector = np.sqrt(0.76) * mean + np.sqrt(0.24) * noise[first : first + 16].sum(axis=0) / 4
        out.append(vector / np.linalg.norm(vector))
    return np.array(out, dtype=np.float32)


def probabilities(script: Script) -> np.ndarray:
    steps = (np.arange(int(max(end for _, _, end in script) / HOP_S) + 30) + 0.5) * HOP_S
    return np.max([(steps >= start) & (steps < end) for _, start, end in script], axis=0).astype(np.float32)

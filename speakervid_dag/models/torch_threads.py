"""How many threads torch computes with.

Belongs here: that choice, for networks whose steps are small. Does not belong here: any network.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread.

    The steps of an LSTM and the layers of a narrow network are tiny: two threads took 6 × the processor time of one
    (160 windows of GE2E: 2.7 s against .45 s).
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

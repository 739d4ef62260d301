"""Where torch computes, and with how many threads.

Belongs here: these two choices, the same for all networks. Does not belong here: any network.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def chosen_device(name: str | None) -> "torch.device":
    """Return the torch device of this name; None = cuda if present, else cpu."""
    import torch

    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


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

"""Demo media: conversations generated from portraits and voices that lie inside packages, with exact ground truth.

Belongs here: everything that makes those files, and only that. Does not belong here: the pipeline that reads them, and
anything that needs a model. `generate` is the one function other packages use.
"""

from speakervid_dag.demo.compose import DemoVideo, generate

__all__ = ["DemoVideo", "generate"]

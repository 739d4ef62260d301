"""Demo media: conversations generated from portraits and voices found in installed packages, with exact ground truth.

Belongs here: generation of those files. Does not belong here: the pipeline that reads them, anything that needs a
model. Other packages use only `generate`.
"""

from speakervid_dag.demo.compose import DemoVideo, generate

__all__ = ["DemoVideo", "generate"]

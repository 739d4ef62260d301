"""Review: people answer single questions about clips, pairs and listening samples; gates are compared with the answers.

Belongs here: the local page of `speakervid review`, the choice of its subjects, what it shows and stores, the table of
agreement. Does not belong here: counting answers (sql/review), printing (cli/review.py).
"""

"""`speakervid review`: people judge samples on a local page; `--summary` holds the gates to their answers.

Belongs here: arguments, help, starting the server. Does not belong here: the page (review/).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from speakervid_dag.cli.options import format_option, lake_option, port_option
from speakervid_dag.failures import UserError

if TYPE_CHECKING:
    from speakervid_dag.config.settings import Settings
    from speakervid_dag.lake.queries.session import Session
    from speakervid_dag.lake.snapshots.snapshots import Snapshot
    from speakervid_dag.review.queue import ReviewPlan


@click.command()
@lake_option
@click.option("--profile", metavar="P", help="Whose decisions are judged. [default: the snapshot's]")
@click.option("--reviewer", metavar="NAME", help="Who answers. [default: your user name]")
@click.option(
    "--question", "questions", multiple=True, metavar="Q", help="Only binding, lips, quality, reply, listening."
)
@click.option("--gate", "gates", multiple=True, metavar="GATE", help="Only these gates, also those that only score.")
@click.option("--count", default=100, show_default=True, type=click.IntRange(min=1), help="Subjects a gate and claim.")
@click.option("--seed", default=0, show_default=True, help="Another seed asks about others. Reviewers share one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@port_option(3100)
@click.option("--open/--no-open", "is_opened", default=True, help="Open the page in a browser.")
@click.option("--summary", is_flag=True, help="No page: print how gates and people agree.")
@format_option
def review(
    lake: Path | None,
    profile: str | None,
    reviewer: str | None,
    questions: tuple[str, ...],
    gates: tuple[str, ...],
    count: int,
    seed: int,
    host: str,
    port: int,
    is_opened: bool,
    summary: bool,
    form: str,
) -> None:
    """Open a local page on which a person plays samples and answers one question at a time, by keyboard.

    For each gate half of the clips lie just above and half just below its threshold, and some anywhere. Two reviewers
    with one --seed are asked about the same samples in another order, and never see each other's answers. Answers are
    the table `reviews`; --summary prints, per gate, how far reviewers agree (Light's κ), accuracy, precision, recall
    and F1 of the gate against them, and the threshold of the highest F1 with its 95 % interval.
    """
    import getpass

    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import choose_profile
    from speakervid_dag.review.queue import ReviewPlan
    from speakervid_dag.tiering.asked import asked_profile, name_of

    settings = load_settings(lake=lake, profile=profile)
    snapshot, con = _open(settings)
    chosen = choose_profile(con, name_of(asked_profile(con, profile)) if profile else None, snapshot.profile)
    who = reviewer or ("" if summary else getpass.getuser())
    plan = ReviewPlan(who, seed, count, questions, gates)
    if summary:
        _print_summary(con, chosen, plan, form)
        return
    _serve(settings, snapshot, con, chosen, plan, (host, port), is_opened)


def _open(settings: "Settings") -> "tuple[Snapshot, Session]":
    from speakervid_dag.lake.queries import session
    from speakervid_dag.lake.queries.published import open_lake, published_snapshot

    opened = open_lake(settings.lake_dir)
    snapshot = published_snapshot(opened)
    return snapshot, session.open_session(opened, snapshot, read_only_user_sql=True)


def _print_summary(con: "Session", profile: str, plan: "ReviewPlan", form: str) -> None:
    from speakervid_dag.cli.console import say
    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.review.agreement import agreement, table
    from speakervid_dag.review.queue import refuse_unknown

    refuse_unknown(con, profile, plan)
    found = agreement(con, profile)
    for column, chosen in (("question", plan.questions), ("gate", plan.gates)):
        found = found.filter(found[column].is_in(list(chosen))) if chosen else found
    if found.is_empty() and form == "table":
        say("Nobody has answered yet about what this profile decided: `speakervid review` asks.")
        return
    print_answer(table(found) if form == "table" else found, form)


def _serve(
    settings: "Settings",
    snapshot: "Snapshot",
    con: "Session",
    profile: str,
    plan: "ReviewPlan",
    address: tuple[str, int],
    is_opened: bool,
) -> None:
    import secrets
    import threading
    import webbrowser

    import uvicorn

    from speakervid_dag.cli.console import say
    from speakervid_dag.formats import quantity
    from speakervid_dag.lake.queries import analyst_db
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.review import queue, server
    from speakervid_dag.review.answers import AnswerBook, warm_up

    (host, port), opened = address, open_lake(settings.lake_dir)
    with AnswerBook(opened, settings.lake_dir, plan.reviewer) as book:
        asked = book.asked()
        items = queue.build(con, profile, plan, asked)
        if not items and not queue.choose(con, profile, plan, asked):
            say("There are no clips to ask about: nothing that the profile decided fits these questions.")
            return
        if not items:
            say(f"{plan.reviewer} has answered all of it: --seed asks about others, --summary prints the result.")
            return
        _refuse_taken(host, port)
        sitting = server.Sitting(con, settings.lake_dir, profile, snapshot.number, book, items)
        key = secrets.token_urlsafe(16)
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/?key={key}"
        questions = quantity(len(items), "question")
        say(f"{questions} for {plan.reviewer} on {url} (Ctrl-C ends it; every answer is kept at once)")
        threading.Thread(target=warm_up, daemon=True).start()
        if is_opened:
            threading.Timer(1.0, webbrowser.open, [url]).start()
        app = server.app(sitting, host=host, port=port, key=key)
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, ws="none", lifespan="off")
        if sitting.answered:
            analyst_db.remake(opened, settings.lake_dir)
        kept = quantity(len(sitting.answered), "answer")
        say(f"Kept in the table `reviews`: {kept}. `speakervid review --summary` counts them all.")


def _refuse_taken(host: str, port: int) -> None:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if probe.connect_ex((host, port)) == 0:
            raise UserError(f"port {port} on {host} is in use: choose another with --port")

"""The local page: HTTP routes of one sitting.

Belongs here: HTTP. Does not belong here: access control (security.py), the items (queue.py), what they show
(subjects.py, templates/), storage of answers (answers.py).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from speakervid_dag.failures import SpeakervidError, StageFailure
from speakervid_dag.lake.queries.session import Session
from speakervid_dag.rendering import pages
from speakervid_dag.review import previews, subjects
from speakervid_dag.review.answers import AnswerBook
from speakervid_dag.review.queue import Item
from speakervid_dag.review.security import Guard

PACKAGE = "speakervid_dag.review"
ANSWERS = ("yes", "no", "unsure")
MAX_BODY_BYTES = 1000


@dataclass
class Sitting:
    """One reviewer, one snapshot, the items in their order, and what was answered in this sitting."""

    con: Session
    lake_dir: Path
    profile: str
    snapshot: int
    book: AnswerBook
    items: list[Item]
    answered: dict[int, str] = field(default_factory=dict)
    _loaded: dict[int, subjects.Subject] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)  # a DuckDB connection serves one query at a time

    def subject(self, index: int) -> subjects.Subject:
        with self._turn:
            if index not in self._loaded:
                self._loaded[index] = subjects.load(self.con, self.profile, self.items[index])
            return self._loaded[index]

    def preview(self, index: int) -> Path:
        return previews.preview(self.lake_dir, self.subject(index).span)

    def save(self, index: int, answer: str) -> None:
        item, span = self.items[index], self.subject(index).span
        self.book.save(
            {
                "batch": span.batch,
                "video_id": span.video_id,
                "question": item.question,
                "measure": item.measure,
                "subject_kind": item.kind,
                "subject_id": item.subject_id,
                "clip_id": span.clip_id,
                "gate": item.gate,
                "answer": answer,
                "profile": self.profile,
                "snapshot": self.snapshot,
                "at": datetime.now(UTC),
            }
        )
        self.answered[index] = answer


def app(sitting: Sitting, *, host: str, port: int, key: str) -> Starlette:
    """Return the page's ASGI application; `Guard` controls access."""

    def page(_: Request) -> Response:
        text = pages.environment(PACKAGE).get_template("review.html.jinja")
        return HTMLResponse(
            text.render(reviewer=sitting.book.reviewer, lake_name=sitting.lake_dir.name, profile=sitting.profile)
        )

    def listed(_: Request) -> Response:
        rows = [
            {"question": i.question, "measure": i.measure, "answer": sitting.answered.get(n)}
            for n, i in enumerate(sitting.items)
        ]
        return JSONResponse({"items": rows})

    def shown(request: Request) -> Response:
        index = _index(request.path_params["index"], sitting)
        return JSONResponse({**sitting.subject(index).told, "answer": sitting.answered.get(index)})

    def played(request: Request) -> Response:
        return FileResponse(sitting.preview(_index(request.path_params["index"], sitting)), media_type="video/mp4")

    async def answered(request: Request) -> Response:
        body = await _body(request)
        index, answer = _index(body.get("item"), sitting), body.get("answer")
        if answer not in ANSWERS:
            raise HTTPException(400, "an answer is yes, no or unsure")
        await run_in_threadpool(sitting.save, index, answer)
        return JSONResponse({"item": index, "answer": answer})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/review.css", _static("review.css", "text/css")),
            Route("/review.js", _static("review.js", "text/javascript")),
            Route("/items", listed),
            Route("/items/{index:int}", shown),
            Route("/previews/{index:int}.mp4", played),
            Route("/answers", answered, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, host=host, port=port, key=key)],
        exception_handlers={SpeakervidError: _failed, HTTPException: _refused},
    )


def _index(value: Any, sitting: Sitting) -> int:
    if type(value) is not int or not 0 <= value < len(sitting.items):
        raise HTTPException(404, "there is no such item")
    return value


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "answers are JSON")
    if int(request.headers.get("content-length", MAX_BODY_BYTES + 1)) > MAX_BODY_BYTES:
        raise HTTPException(413, "too long for an answer")
    try:
        body = await request.json()
    except ValueError as problem:
        raise HTTPException(400, "not JSON") from problem
    if not isinstance(body, dict):
        raise HTTPException(400, "not an answer")
    return body


def _static(name: str, kind: str) -> Callable[[Request], Response]:
    return lambda _: Response(pages.template_text(name, PACKAGE), media_type=kind)


def _failed(_: Request, problem: Exception) -> Response:
    """Return why a preview or an answer failed, for the page to show; the sitting goes on."""
    reason = problem.reason if isinstance(problem, StageFailure) else "refused"
    detail = problem.detail if isinstance(problem, StageFailure) else str(problem)
    return JSONResponse({"reason": reason, "detail": detail}, 422)


def _refused(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    return JSONResponse({"reason": "refused", "detail": problem.detail}, problem.status_code)

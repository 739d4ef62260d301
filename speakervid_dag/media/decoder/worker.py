"""The decoding process: `python -m speakervid_dag.media.decoder.worker REQUEST` (REQUEST is JSON; messages go to
stdout).

Belongs here: the decoder's limits, dispatch, reporting of failures. Does not belong here: media (container, picture,
sound), the parent's side (media/child). Imports av and the standard library; numpy only where needed.
"""

import json
import os
import resource
import sys
from typing import Any

from speakervid_dag.failures import StageFailure
from speakervid_dag.media.decoder import wire
from speakervid_dag.processes.limits import confine

OPEN_FILES = 64
CPU_GRACE_S = 5


class Output:
    """Stdout as a stream of messages. `writev` avoids a copy of each picture."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, header: wire.Header, payload: Any) -> None:
        parts = [memoryview(header.pack()), memoryview(payload).cast("B")]
        while parts:
            written = os.writev(self._fd, parts)
            while parts and written >= len(parts[0]):
                written -= len(parts.pop(0))
            if written:
                parts[0] = parts[0][written:]

    def send_json(self, kind: int, value: object) -> None:
        data = wire.pack_json(kind, value)
        self.send(wire.Header.unpack(data[: wire.HEADER.size]), data[wire.HEADER.size :])


def serve(request: dict[str, Any], output: Output) -> None:
    """Do one task and send its result."""
    from speakervid_dag.media.decoder import clip_copy, clip_pictures, container, picture, sound

    if request["task"] == "probe":
        output.send_json(wire.RESULT, container.describe(request))
    elif request["task"] == "pictures":
        output.send_json(wire.RESULT, picture.send_pictures(request, output))
    elif request["task"] == "stills":
        output.send_json(wire.RESULT, picture.send_stills(request, output))
    elif request["task"] == "sound":
        output.send_json(wire.RESULT, sound.send_sound(request, output))
    elif request["task"] == "levels":
        from speakervid_dag.media.decoder import sound_levels

        output.send_json(wire.RESULT, sound_levels.send_levels(request, output))
    elif request["task"] == "clips":
        output.send_json(wire.RESULT, clip_pictures.send_clips(request, output))
    elif request["task"] == "copies":
        output.send_json(wire.RESULT, clip_copy.send_copies(request, output))
    else:
        raise ValueError(f"unknown task {request['task']!r}")


def main(argument: str) -> int:
    import av

    av.logging.set_level(None)
    request = json.loads(argument)
    memory, cpu_s = request["memory_bytes"], request["cpu_s"]
    limits = {
        resource.RLIMIT_AS: (memory, memory),
        resource.RLIMIT_CPU: (cpu_s, cpu_s + CPU_GRACE_S),  # SIGXCPU, which identifies the cause, comes before SIGKILL
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_NOFILE: (OPEN_FILES, OPEN_FILES),
    }
    confine(request["parent_pid"], limits)
    output = Output(sys.stdout.fileno())
    try:
        serve(request, output)
    except StageFailure as failure:
        output.send_json(wire.FAILURE, {"reason": failure.reason, "detail": failure.detail})
    except MemoryError:
        output.send_json(wire.FAILURE, {"reason": "decoder_out_of_memory", "detail": "the memory limit was reached"})
    except BrokenPipeError:  # the consumer went away
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

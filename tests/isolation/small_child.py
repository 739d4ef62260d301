"""What test_child_process.py starts: it does what its argument says."""

import json
import os
import signal
import subprocess
import sys
import time

argument = json.loads(sys.argv[1])
assert argument["parent_pid"] == os.getppid()
if argument["do"] == "answer":
    for line in sys.stdin:
        os.write(1, line.upper().encode())
elif argument["do"] == "chatter":
    while True:
        os.write(2, b"still here\n")
        time.sleep(0.01)
elif argument["do"] == "end":
    os.write(2, b"first words\nlast words\n")
    sys.exit(3)
elif argument["do"] == "out of memory":
    os.write(2, b"what():  std::bad_alloc\n")
    os.abort()
elif argument["do"] == "die":
    os.kill(os.getpid(), getattr(signal, argument["by"]))
elif argument["do"] == "have a child":
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.write(1, str(grandchild.pid).encode())
    time.sleep(600)

"""One run of 2 processes, killed again and again at random moments: `python tests/resume/many_kills.py [50] [SEED]`.

Each kill is a SIGKILL to one rank, chosen at random, after a random time from the start of the processes (so during set-up,
in steps, while saving), which is drawn shorter where a start gets far on this machine. The run must end with the losses and weights of an uninterrupted one.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from job import Nursery, examples, losses

STEPS_PER_KILL = 5


def many_kills(nursery, folder, *, kills, seed=0, backend="ddp", steps=None):
    """Returns the number of kills that hit, starts, steps computed twice, seconds, and whether all is equal in the end."""
    chance, began = random.Random(seed), time.monotonic()
    options = {"steps": steps or STEPS_PER_KILL * kills, "save_steps": 2, "store": {"background": True}}
    whole = nursery.run(backend, 2, folder / "whole", limit=600, **options)
    hits, starts, places, longest_wait = 0, 0, [0], 1.5
    while hits < kills:
        starts += 1
        assert starts < 20 * kills, f"only {hits} of {starts} kills hit"
        codes, results = nursery.attempt(
            backend, 2, folder / "cut", kill=(chance.randrange(2), chance.uniform(0.3, longest_wait)), limit=600, **options
        )
        if codes == [0, 0]:
            # It was quicker than the kill: the rest of the kills come too late for this run.
            places.append(results[0]["step"])
            break
        assert -9 in codes, codes
        hits += 1
        places.append(last_step(folder / "cut"))
        longest_wait *= 0.6 if places[-1] - places[-2] > STEPS_PER_KILL else 1.2
    cut = nursery.run(backend, 2, folder / "cut", limit=600, **options)
    equal = (
        losses(folder / "cut") == losses(folder / "whole")
        and examples(folder / "cut") == examples(folder / "whole")
        and cut[0]["weights"] == whole[0]["weights"]
    )
    computed = sum(len(path.read_text().splitlines()) for path in (folder / "cut").glob("seen-0.jsonl"))
    return {
        "kills": hits, "starts": starts + 1, "steps": options["steps"], "computed": computed, "equal": equal,
        "places": places, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def last_step(folder):
    """The last step in a run's log."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


if __name__ == "__main__":
    kills, seed = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, 50), (2, 0)))
    with Nursery() as started, tempfile.TemporaryDirectory() as place:
        print(json.dumps(many_kills(started, Path(place), kills=kills, seed=seed)))

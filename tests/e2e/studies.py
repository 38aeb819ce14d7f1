#!/usr/bin/env python3
"""Studies for real: resumed after kill -9, failures kept, states waited for, and CI's small one.

    studies.py --sparkmpi PATH --plans DIR
"""

import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import h5py

from launch import Checks, environment, options_of, read_terminal

PLAN = """[study]
name = demo
repetitions = 3
seed = 11
oversubscribe = yes

[environments]
native = native
again = native

[points]
stream = stream --device host --footprint 64K --operation read -r 3 -q
"""


def attempts(directory):
    """{trial: [trial.json of each attempt]}"""
    found = {}
    for file in sorted(directory.glob("trials/*/attempt-*/trial.json")):
        found.setdefault(file.parent.parent.name, []).append(json.loads(file.read_text()))
    return found


class Bench:
    def __init__(self, program, scratch, checks):
        self.program, self.scratch, self.checks = program, scratch, checks

    def command(self, *words):
        return [str(self.program), "study", *map(str, words)]

    def run(self, *words, **changes):
        return subprocess.run(self.command(*words), cwd=self.scratch, env=environment(**changes), capture_output=True, text=True, timeout=250)

    def plan(self, name, text):
        path = self.scratch / name
        path.write_text(text)
        return path


def killed_and_resumed(bench):
    checks = bench.checks
    plan = bench.plan("demo.ini", PLAN)
    directory = bench.scratch / "the study"
    process = subprocess.Popen(bench.command(plan, "-o", directory), cwd=bench.scratch, env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(directory.glob("results/*.h5")) and time.monotonic() < deadline:
        time.sleep(0.01)
    while not any(list_of[-1]["status"] == "started" for list_of in attempts(directory).values()) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = attempts(directory)
    checks.expect((directory / "schedule.csv").exists() and 0 < len(before) < 6, f"the study was to be killed in its middle: {len(before)} of 6")
    finished = {name: list_of[-1]["ended"] for name, list_of in before.items() if list_of[-1]["status"] == "done"}

    resumed = bench.run(plan, "-o", directory)
    checks.expect(resumed.returncode == 0, f"resumed: exit {resumed.returncode}: {resumed.stderr}")
    after = attempts(directory)
    with open(directory / "schedule.csv", newline="") as file:
        schedule = list(csv.DictReader(file))
    checks.expect([row["trial"] for row in schedule] == sorted(after), "the trials are not those of the schedule")
    for name, ended in finished.items():
        checks.expect(len(after[name]) == 1 and after[name][0]["ended"] == ended, f"{name} was done and ran again")
    for name, list_of in before.items():
        if list_of[-1]["status"] == "started":
            checks.expect(len(after[name]) == 2, f"{name} was killed and has {len(after[name])} attempts")
    orders = [attempt["order"] for list_of in after.values() for attempt in list_of]
    checks.expect(len(orders) == len(set(orders)), f"two attempts have one place in time: {sorted(orders)}")

    results = sorted((directory / "results").glob("*.h5"))
    checks.expect(len(results) == 6, f"{len(results)} results of 6 trials")
    for row, result in zip(schedule, results):
        with h5py.File(result) as file:
            facts = file["provenance"].attrs
            said = (facts["study"], facts["trial"], int(facts["block"]), facts["study_environment"], facts["point"])
            checks.expect(said == ("demo", row["trial"], int(row["block"]), row["environment"], row["point"]), f"{result.name} says {said}")
    for environment_name in ("native", "again"):
        checks.expect(sum(row["environment"] == environment_name for row in schedule) == 3, f"{environment_name} is not in every block")

    idle = bench.run(plan, "-o", directory)
    checks.expect(idle.returncode == 0 and attempts(directory) == after, f"a study that is done runs trials: {idle.stderr}")
    plan.write_text(PLAN.replace("seed = 11", "seed = 12"))
    other = bench.run(plan, "-o", directory)
    checks.expect(other.returncode == 2 and "another plan" in other.stderr, f"a changed plan in the same directory: {other.stderr}")


def failures_are_kept(bench):
    checks = bench.checks
    text = PLAN.replace("stream = stream", f'model = inference -m "{bench.scratch}/a model; touch owned" -p 8 -n 2\nstream = stream')
    plan = bench.plan("failing.ini", text.replace("repetitions = 3", "repetitions = 1").replace("again = native\n", ""))
    directory = bench.scratch / "failing"
    first = bench.run(plan, "-o", directory)
    failed = {name: list_of for name, list_of in attempts(directory).items() if list_of[-1]["status"] == "failed"}
    checks.expect(first.returncode == 1 and len(failed) == 1 and "1 done, 1 failed" in first.stderr, f"one fails: {first.stderr}")
    again = bench.run(plan, "-o", directory)
    checks.expect(again.returncode == 1 and {name: attempts(directory)[name] for name in failed} == failed, "a failed trial ran unasked")
    retried = bench.run(plan, "-o", directory, "--retry-failed")
    name = next(iter(failed))
    checks.expect(retried.returncode == 1 and len(attempts(directory)[name]) == 2, f"--retry-failed: {retried.stderr}")
    log = directory / "trials" / name / "attempt-1" / "log.txt"
    checks.expect("a model; touch owned" in log.read_text(), f"the log does not say what failed: {log.read_text()}")


def states_are_waited_for(bench):
    checks = bench.checks
    tools = bench.scratch / "tools"
    tools.mkdir()
    temperature = bench.scratch / "temperature"
    # A card that cools by 20 degrees at each look.
    (tools / "nvidia-smi").write_text(f'#!/bin/sh\nread t <"{temperature}"\necho $t\necho $((t - 20)) >"{temperature}"\n')
    (tools / "nvidia-smi").chmod(0o755)
    temperature.write_text("80\n")
    cached = bench.scratch / "weights"
    cached.write_bytes(os.urandom(1 << 20))
    one = PLAN.replace("repetitions = 3", "repetitions = 1").replace("again = native\n", "")
    plan = bench.plan("cooling.ini", one + f'\n[cache]\nstate = warm\nfiles = "{cached}"\n')
    path = f"{tools}:{os.environ['PATH']}"
    result = bench.run(plan, "-o", bench.scratch / "cooling", PATH=path)
    state = next(iter(attempts(bench.scratch / "cooling").values()))[0]["state_before"]
    checks.expect(result.returncode == 0 and "60 °C, wanted below 45" in result.stderr, f"a hot card: {result.stderr}")
    checks.expect(state["gpu_temperatures_c"] == [40] and state["waited_s"] > 0 and state["cached_share_of_files"] == 1, f"the state before: {state}")

    temperature.write_text("1000\n")
    plan = bench.plan("hot.ini", one + "\n[cooldown]\ntimeout = 1\n")
    result = bench.run(plan, "-o", bench.scratch / "hot", PATH=path)
    checks.expect(result.returncode == 1 and "not in the state" in result.stderr and not attempts(bench.scratch / "hot"), f"too hot: {result.stderr}")


def several_ranks(bench):
    """One plan for any number of ranks; what the GPUs said to be there can't do is left out."""
    checks = bench.checks
    text = PLAN.replace("repetitions = 3", "repetitions = 1\nranks = 1-4*2\nranks-at-most = gpus").replace("again = native\n", "")
    plan = bench.plan("ranks.ini", text + "\n[variables]\nNCCL_NVLS_ENABLE = 0\n")
    result = bench.run(plan, "-o", bench.scratch / "ranks", "--gpus", "2")
    checks.expect(result.returncode == 0 and "stream with 4 ranks is left out: there are 2 GPUs" in result.stderr, f"1 and 2 of 4 ranks: {result.stderr}")
    found = {}
    for path in sorted((bench.scratch / "ranks" / "results").glob("*.h5")):
        with h5py.File(path) as file:
            found[file["provenance"].attrs["point"]] = len(file["ranks/local_rank"])
    checks.expect(found == {"stream ranks=1": 1, "stream ranks=2": 2}, f"numbers of ranks: {found}")
    result = bench.run(plan, "-o", bench.scratch / "ranks", "--gpus", "4")
    checks.expect(result.returncode == 2 and "another number of GPUs" in result.stderr, f"more GPUs in the same directory: {result.stderr}")

    shown = text.replace("stream = stream --device host --footprint 64K --operation read -r 3 -q", "model = inference --device host -m there -p 8 -n 2")
    models = bench.scratch / "models; here"
    (models / "there").mkdir(parents=True)
    (models / "there" / "config.json").write_text("{}")
    plan = bench.plan("variables.ini", shown + f"\n[variables]\nSPARKMPI_MODEL_PATH = {models}\n")
    result = bench.run(plan, "-o", bench.scratch / "variables", "--gpus", "1")
    logs = [file.read_text() for file in (bench.scratch / "variables").glob("trials/*/attempt-1/log.txt")]
    checks.expect(result.returncode == 1 and len(logs) == 1 and str(models / "there") in logs[0], f"a variable of the plan: {logs}")


def interrupted(bench):
    checks = bench.checks
    plan = bench.plan("long.ini", PLAN.replace("--footprint 64K", "--footprint 64M").replace("-r 3", "-r 1000000").replace("repetitions = 3", "repetitions = 1"))
    directory = bench.scratch / "long"
    process = subprocess.Popen(bench.command(plan, "-o", directory), cwd=bench.scratch, env=environment(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not attempts(directory) and time.monotonic() < deadline:
        time.sleep(0.02)
    second = bench.run(plan, "-o", directory)
    checks.expect(second.returncode == 2 and "another process" in second.stderr, f"two at a time: {second.stderr}")
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    checks.expect(process.returncode == 128 + signal.SIGTERM, f"interrupted: exit {process.returncode}")
    checks.expect([list_of[-1]["status"] for list_of in attempts(directory).values()] == ["interrupted"], f"{attempts(directory)}")

    plan = bench.plan("slow.ini", plan.read_text().replace("seed = 11", "seed = 11\ntimeout = 3").replace("again = native\n", ""))
    result = bench.run(plan, "-o", bench.scratch / "slow")
    checks.expect(result.returncode == 1 and "timeout" in result.stderr, f"a trial that takes too long: {result.stderr}")


def read_at_the_end(bench):
    """The commands that a study ends with run as they stand, from a directory whose name a shell would stumble over."""
    checks = bench.checks
    plan = bench.plan("read.ini", PLAN.replace("repetitions = 3", "repetitions = 2"))
    result = bench.run(plan, "-o", "the study's; results")
    commands = result.stdout.splitlines()
    checks.expect([shlex.split(line)[1] for line in commands] == ["compare", "audit", "report"], f"the end: {result.stdout}{result.stderr}")
    checks.expect("until " in result.stderr and "\r" not in result.stderr, f"plain lines with the time of the end: {result.stderr!r}")
    # audit finds that two launches of each are few, which is its exit status 1.
    for line, status, expected in zip(commands, (0, 1, 0), ("again", "too few launches", "Report: ")):
        read = subprocess.run(line, shell=True, cwd=bench.scratch, env=environment(), capture_output=True, text=True, timeout=120)
        checks.expect(read.returncode == status and expected in read.stdout + read.stderr, f"{line}: exit {read.returncode}: {read.stdout}{read.stderr}")


def one_line_on_a_terminal(bench):
    """Under a terminal the progress is one line that is written anew and gone at the end."""
    plan = bench.plan("line.ini", PLAN.replace("repetitions = 3", "repetitions = 1"))
    terminal, other_end = os.openpty()
    process = subprocess.Popen(bench.command(plan, "-o", bench.scratch / "line"), cwd=bench.scratch, env=environment(TERM="xterm"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=other_end)
    os.close(other_end)
    text = read_terminal(terminal)
    process.wait(timeout=60)
    bench.checks.expect(process.returncode == 0 and "\r[1/2] block 1" in text and "\x1b[K" in text, f"on a terminal: {text!r}")
    bench.checks.expect("[1/2]" not in "".join(line.split("\x1b[K")[-1] for line in text.splitlines()), f"a step stays on the terminal: {text!r}")


def tried(bench):
    """--try says which environments start here and leaves no study behind."""
    text = PLAN.replace("again = native", "broken = native program=/bin/false")
    result = bench.run(bench.plan("try.ini", text), "-o", bench.scratch / "tried", "--try")
    words = dict(line.split("\t", 1) for line in result.stdout.splitlines())
    bench.checks.expect(result.returncode == 1 and words.get("native") == "works" and words.get("broken") not in (None, "works"), f"--try: {result}")
    bench.checks.expect(not list((bench.scratch / "tried").iterdir()), "--try leaves something in the directory")


def bad_plans(bench):
    for text, expected in ((PLAN.replace("seed", "sead"), "line 4: sead"), (PLAN.replace("again = native", "again = dokcer"), "line 9: again"),
                           (PLAN + "nonsense\n", "line 13")):
        result = bench.run(bench.plan("bad.ini", text), "-o", bench.scratch / "bad")
        bench.checks.expect(result.returncode == 2 and expected in result.stderr and len(result.stderr.strip().splitlines()) <= 2,
                            f"{expected}: exit {result.returncode}: {result.stderr}")
    bench.checks.expect(not (bench.scratch / "bad").exists(), "a bad plan leaves a directory")


def shipped(bench, plans):
    """CI's study: native, chroot and cgroup, the root file system made on the way."""
    if os.geteuid() != 0:
        print("not run: ci.ini needs root")
        return
    directory = bench.scratch / "ci's; study"
    result = bench.run(plans / "ci.ini", "-o", directory)
    bench.checks.expect(result.returncode == 0, f"ci.ini: exit {result.returncode}: {result.stderr}")
    for path in sorted((directory / "results").glob("*.h5")):
        with h5py.File(path) as file:
            planned = file["provenance"].attrs["study_environment"]
            detected = {text.decode() for text in file["ranks/environment"][:]}
            bench.checks.expect(detected == {planned}, f"{path.name}: planned {planned}, ran in {detected}")
    bench.checks.expect(len(list((directory / "results").glob("*.h5"))) == 6, "ci.ini has not 6 results")


def main():
    arguments = options_of(__doc__, "plans").parse_args()
    checks = Checks()
    scratch = Path(tempfile.mkdtemp(prefix="sparkmpi study; "))
    bench = Bench(arguments.sparkmpi.resolve(), scratch, checks)
    try:
        for part in (bad_plans, tried, read_at_the_end, one_line_on_a_terminal, killed_and_resumed, failures_are_kept, states_are_waited_for,
                     several_ranks, interrupted):
            part(bench)
        shipped(bench, arguments.plans.resolve())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()

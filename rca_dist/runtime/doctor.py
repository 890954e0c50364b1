"""`rca-dist doctor`: one screen that says whether this machine can train, and what to fix."""

import json

from rca_dist.errors import EXIT_OK, EXIT_USER, UserError
from rca_dist.runtime import doctor_devices, doctor_links, doctor_machine, doctor_software
from rca_dist.runtime.doctor_finding import Check, Finding, as_json, examine, line, scrub, summary
from rca_dist.runtime.doctor_probe import end_all

USAGE = """usage: rca-dist doctor [--quick] [--json]

  Says whether this machine can train, and what to do where it cannot: Python and packages, GPUs and CPU, memory,
  disk, processes that find each other (gloo, NCCL), DeepSpeed, the model hub, W&B, Slurm, launcher variables left over.
  Each line is ok, a note (training works) or a problem. Nothing is installed, changed or sent; secrets are never shown.

  --quick   start no processes and open no connections
  --json    the same as one JSON object: ready, summary, checks (name, status, found, fix)

exit code: 0 nothing stops training, 2 something must be fixed
"""
TOTAL_SECONDS = 55
WIDTH = 10


def doctor(argv: list[str]) -> int:
    """Check this machine and print what was found. Returns 0 when nothing stops training, else 2.

    Raises: UserError for unknown arguments.
    """
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return EXIT_OK
    unknown = [token for token in argv if token not in ("--quick", "--json")]
    if unknown:
        raise UserError(f"doctor: unknown argument {unknown[0]!r}; it takes --quick and --json")
    quick, silent = "--quick" in argv, "--json" in argv
    findings: list[Finding] = []
    try:
        for group in examine([check for check in checks(quick) if not (quick and check.slow)], TOTAL_SECONDS):
            for finding in map(_clean, group):
                findings.append(finding)
                if not silent:
                    print(line(finding, WIDTH), flush=True)
    finally:
        end_all()
    if silent:
        print(json.dumps(as_json(findings), indent=2, ensure_ascii=False))
    else:
        print(f"\n{summary(findings)}" + ("; --quick left out processes and connections" if quick else ""))
    return EXIT_USER if any(finding.status == "problem" for finding in findings) else EXIT_OK


def checks(quick: bool) -> list[Check]:
    """All checks in the order of the screen."""
    software, machine, links = doctor_software, doctor_machine, doctor_links
    mount = "a disk or network mount hangs (df hangs too): unmount it or choose other folders"
    driver = "the GPU driver hangs (try nvidia-smi): restart the machine"
    names = "name lookup hangs: check /etc/resolv.conf"
    return [
        Check("python", software.system, 5),
        Check("packages", software.packages, 10, on_hang=mount),
        Check("device", lambda: doctor_devices.devices(quick), 52, on_hang=driver),
        Check("memory", machine.memory, 5),
        Check("gloo", links.gloo, 50, slow=True),
        Check("nccl", links.nccl, 55, slow=True, on_hang=driver),
        Check("zero", software.deepspeed_imports, 45, slow=True),
        Check("compiler", software.compiler, 10),
        Check("hostname", links.hostname, 10, slow=True, on_hang=names),
        Check("disk", machine.disk, 10, on_hang=mount),
        Check("limits", machine.limits, 5),
        Check("shell", software.shell, 10, on_hang=mount),
        Check("hub", lambda: links.hub(quick), 12, on_hang=names),
        Check("wandb", lambda: links.wandb(quick), 12, on_hang=names),
        Check("slurm", lambda: links.slurm(quick), 10),
    ]


def _clean(finding: Finding) -> Finding:
    return Finding(finding.name, finding.status, scrub(finding.found), scrub(finding.fix), finding.ready)

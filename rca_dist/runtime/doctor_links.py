"""Checks of `rca-dist doctor`: what is reached from here - other processes, the model hub, W&B, Slurm."""

import importlib.util
import ipaddress
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlparse

from rca_dist.runtime.doctor_finding import Finding, last_line
from rca_dist.runtime.doctor_machine import hub_home
from rca_dist.runtime.doctor_probe import ask
from rca_dist.runtime.launch import gpus
from rca_dist.runtime.tracking import has_wandb_key, wandb_mode

# As in model/names.py, which this room may not import.
DOWNLOAD = "`hf download NAME --local-dir FOLDER` on a machine with internet, copy the folder here and give its path"
TRUE = ("1", "ON", "YES", "TRUE")


def gloo() -> list[Finding]:
    """Two processes of this machine form a group and add up, as ranks on a CPU do."""
    return _group("gloo", 2, seconds=45)


def nccl() -> list[Finding]:
    """The same on up to two GPUs; nothing where there is none."""
    count = min(2, gpus())
    return _group("nccl", count, seconds=50) if count else []


def _group(backend: str, processes: int, seconds: float) -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return []
    answer = ask(backend, seconds, processes)
    noun = f"{processes} process{'es' if processes > 1 else ''}"
    if answer.facts.get("no_gpu"):
        # The check of devices says why.
        return []
    if answer.done:
        ready = f"--num_processes {processes} works too" if backend == "gloo" and not gpus() else ""
        return [Finding(backend, "ok", f"{noun} formed a group and reduced in {answer.facts['seconds']:.1f} s", ready=ready)]
    if answer.timed_out and "imported" not in answer.facts:
        fix = "a slow disk? put the virtual environment on a local one; a job may need minutes to start"
        return [Finding(backend, "note", f"not known: importing torch took over {seconds:.0f} s", fix)]
    said = f"no answer within {seconds:.0f} s" if answer.timed_out else answer.error
    return [Finding(backend, "problem", f"{noun} formed no group: {said}", causes(backend, os.environ))]


def causes(backend: str, environ: Mapping[str, str]) -> str:
    """The usual reasons why processes of one machine do not find each other, the likeliest first."""
    name = f"{backend.upper()}_SOCKET_IFNAME"
    if environ.get(name):
        first = f"{name}={environ[name]} must name an interface that `ip -br addr` lists: unset or correct it"
    else:
        first = f"set {name} to an interface that `ip -br addr` lists (lo will do on one machine)"
    host = 'see that the host\'s own name resolves (getent hosts "$(hostname)"; else add it to /etc/hosts)'
    if backend == "gloo":
        return f"{first}; {host}; let a firewall pass 127.0.0.1"
    return f"{first}; NCCL_DEBUG=INFO says more; in a container give /dev/shm room (--shm-size=8g)"


def hostname() -> list[Finding]:
    """Whether this machine's own name leads to it, as other machines and gloo expect."""
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError as error:
        return [Finding("hostname", "note", f"does not resolve ({error})", 'add it to /etc/hosts: 127.0.1.1 and the name from '
                        "`hostname`; for several machines DNS must know it")]  # fmt: skip
    if ipaddress.ip_address(address).is_loopback:
        return [
            Finding(
                "hostname", "ok", f"resolves to {address} (loopback: across machines give --main_process_ip a real address)"
            )
        ]
    return [Finding("hostname", "ok", f"resolves to {address}")]


def hub(quick: bool) -> list[Finding]:
    """Hugging Face: offline switches, token, and whether the endpoint answers. Nothing is sent."""
    file = Path(os.environ.get("HF_TOKEN_PATH") or hub_home(os.environ) / "token").expanduser()
    token = bool(os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")) or (
        file.is_file() and file.stat().st_size > 0
    )
    said = "token present" if token else "no token (only private and gated models need one)"
    said += ", HF_HOME is set" if os.environ.get("HF_HOME") else ""
    offline = [name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(name, "").upper() in TRUE]
    if offline:
        return [Finding("hub", "note", f"{offline[0]} is set: cached models and local folders only; {said}",
                        f"unset {' '.join(offline)}, or {DOWNLOAD}")]  # fmt: skip
    if quick:
        return [Finding("hub", "ok", f"not contacted; {said}")]
    where, error = reach(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if error:
        return [
            Finding(
                "hub", "note", f"{where} is out of reach ({error}); {said}", f"builtin:tiny and folders work; else {DOWNLOAD}"
            )
        ]
    return [Finding("hub", "ok", f"{where} answers; {said}")]


def wandb(quick: bool) -> list[Finding]:
    """W&B: which mode a run would get, and whether its server answers. Nothing is sent."""
    mode, key = wandb_mode("auto"), has_wandb_key()
    said = f"runs are {'tracked ' if mode != 'disabled' else ''}{mode}; {'a key is' if key else 'no key'} configured"
    if os.environ.get("WANDB_MODE", "").lower() == mode and mode != "online":
        return [Finding("wandb", "ok", f"{said}, WANDB_MODE={mode}")]
    if not key:
        fix = "for online dashboards `wandb login` (or WANDB_API_KEY); offline runs go up later with `wandb sync`"
        return [Finding("wandb", "note", said, fix)]
    if quick:
        return [Finding("wandb", "ok", f"{said}, not contacted")]
    where, error = reach(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai")
    if error:
        fix = "runs fall back to offline after a wait; WANDB_MODE=offline spares it, `wandb sync` uploads later"
        return [Finding("wandb", "note", f"{said}, but {where} is out of reach ({error})", fix)]
    return [Finding("wandb", "ok", f"{said}, {where} answers")]


def reach(url: str, seconds: float = 5) -> tuple[str, str]:
    """(host, why it cannot be reached or ""): one TCP connection to it, or to the proxy that the environment names."""
    address = urlparse(url if "://" in url else f"https://{url}")
    host, where = address.hostname or "", address.hostname or "an endpoint without a host name"
    proxies = urllib.request.getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if proxy and not urllib.request.proxy_bypass(host):
        address, where = urlparse(proxy if "://" in proxy else f"http://{proxy}"), f"the proxy for {where}"
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((address.hostname or "", port), timeout=seconds).close()
    except (OSError, ValueError) as error:
        return where, last_line(str(error))
    return where, ""


def slurm(quick: bool) -> list[Finding]:
    """Whether jobs can be submitted from here, and whether this is one."""
    job = os.environ.get("SLURM_JOB_ID")
    inside = f"inside job {job} on {os.environ.get('SLURM_JOB_NUM_NODES', '1')} node(s)" if job else ""
    missing = [name for name in ("sbatch", "srun", "sinfo") if shutil.which(name) is None]
    if len(missing) == 3:
        return [Finding("slurm", "ok", inside or "not here")]
    if missing:
        return [Finding("slurm", "note", f"not on PATH: {', '.join(missing)}", "load your site's Slurm module")]
    if quick:
        return [Finding("slurm", "ok", ", ".join(filter(None, ("here, not asked", inside))))]
    try:
        done = subprocess.run(["sinfo", "--noheader", "--format=%P %D %T"], capture_output=True, text=True, timeout=5,
                              stdin=subprocess.DEVNULL)  # fmt: skip
        error = last_line(done.stderr or done.stdout) if done.returncode else ""
    except subprocess.TimeoutExpired:
        error = "no answer within 5 s"
    if error:
        return [Finding("slurm", "note", f"sinfo fails: {error}", "the Slurm controller is down or elsewhere: ask your site; "
                        "rca-dist train works without it")]  # fmt: skip
    rows = [row for row in (text.split() for text in done.stdout.splitlines()) if len(row) == 3]
    idle = sum(int(count) for _, count, state in rows if state == "idle" and count.isdigit())
    names = ", ".join(dict.fromkeys(name for name, _, _ in rows)) or "none"
    return [Finding("slurm", "ok", "; ".join(filter(None, (f"partitions {names}, {idle} node(s) idle", inside))))]

"""Where the bench's programs are: found, installed from locked files, or compiled. All of it below src-test/bench/.work."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
REPOSITORY = BENCH.parent.parent
WORK = BENCH / ".work"
RESULTS = BENCH / "results" / "table"
PEERS = BENCH / "peers"
JAVA_SOURCES = BENCH / "java"
APPLICATION = REPOSITORY / "execution-gateway/target/quarkus-app"
EMBEDDED = REPOSITORY / "execution-gateway/embedded/target/embedded"
INSTALL_SECONDS_MAX = 1200


class Missing(Exception):
    """Something that a row needs cannot be had here, and why."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(*command: object, limit: float = INSTALL_SECONDS_MAX, **options) -> str:
    """Runs to the end and returns the output; fails with the end of what was printed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=limit, **options)
    if done.returncode != 0:
        raise Missing(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def java_home() -> Path:
    home = os.environ.get("JAVA_HOME")
    if not home:
        raise Missing("JAVA_HOME is not set: start the bench with ./plane bench, which finds a JDK")
    return Path(home)


def plane_python() -> str:
    return os.environ.get("PLANE_PYTHON") or "/usr/bin/python3"


def class_path() -> str:
    if not (APPLICATION / "quarkus-run.jar").is_file():
        raise Missing("the plane is not built: run ./plane build")
    return os.pathsep.join([str(WORK / "classes"), f"{APPLICATION}/lib/main/*", f"{APPLICATION}/app/*", f"{APPLICATION}/lib/boot/*"])


def java(main: str, *arguments: object, options: tuple[str, ...] = ("-Xmx256m", "-XX:+UseSerialGC")) -> list[str]:
    """The command line of one of our small Java programs, compiled when its source or the plane is newer."""
    classes = WORK / "classes"
    built = classes / f"{main}.class"
    source = JAVA_SOURCES / f"{main}.java"
    newest = max(file.stat().st_mtime for file in (source, *APPLICATION.glob("app/*.jar")))
    if not built.exists() or built.stat().st_mtime < newest:
        classes.mkdir(parents=True, exist_ok=True)
        run(java_home() / "bin/javac", "-nowarn", "-d", classes, "-cp", class_path(), source)
    return [
        str(java_home() / "bin/java"), *options, "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
        f"-Dplane.embedded-dir={EMBEDDED}", "-cp", class_path(), main, *map(str, arguments),
    ]


def python() -> Path:
    """The Python of the peers: a virtual environment with exactly the locked packages."""
    lock = PEERS / "requirements.lock"
    home = WORK / ("python-" + hashlib.sha256(lock.read_bytes()).hexdigest()[:12])
    if not (home / "installed").exists():
        say("Installing the peers' Python packages (locked; about half a minute)")
        shutil.rmtree(home, ignore_errors=True)
        run(plane_python(), "-m", "venv", home)
        run(
            home / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
            "--only-binary", ":all:", "--requirement", lock,
        )
        (home / "installed").touch()
    return home / "bin/python"


def restate_server() -> Path:
    """Restate's server, a native program inside its npm package. No install scripts are run: one of them reports home."""
    lock = PEERS / "package-lock.json"
    home = WORK / ("npm-" + hashlib.sha256(lock.read_bytes()).hexdigest()[:12])
    if not (home / "installed").exists():
        if shutil.which("npm") is None:
            raise Missing("Restate's server comes from npm, and there is no npm on the PATH")
        say("Installing Restate's server (locked)")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / name, home)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=home)
        (home / "installed").touch()
    found = list(home.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    if not found:
        raise Missing("npm has no Restate server for this machine")
    found[0].chmod(0o755)
    return found[0]


def opa() -> Path:
    """The OPA that compiles the plane's policies, here run as a server."""
    done = subprocess.run(
        [REPOSITORY / "policy-engine/compile-policy", "--opa-path"], stdout=subprocess.PIPE, text=True, timeout=1900
    )
    if done.returncode != 0:
        raise Missing("OPA cannot be had here; policy-engine/compile-policy says why")
    return Path(done.stdout.strip())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def revision() -> str:
    try:
        return run("git", "-C", REPOSITORY, "describe", "--always", "--dirty", "--exclude", "*").strip()
    except (Missing, FileNotFoundError):
        return "unknown"


def keep(name: str, document: dict, folder: Path = RESULTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    target.write_text(json.dumps(document, indent=2) + "\n")
    return target

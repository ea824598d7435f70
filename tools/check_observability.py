"""Checks alert rules with promtool, and every expression with a real Prometheus that scrapes the suite.

Needs `promtool` and `prometheus` on the PATH; Debian's package `prometheus` has both.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "helm" / "vidence" / "observability"
PORT = 59090
SCRAPES_S = 8.0
START_S = 60.0


def main() -> int:
    """Runs all checks; 0 where all are well."""
    missing = [name for name in ("promtool", "prometheus") if shutil.which(name) is None]
    if missing:
        print(f"not on the PATH: {', '.join(missing)}; Debian: apt-get install prometheus", file=sys.stderr)
        return 2
    subprocess.run(["promtool", "check", "rules", str(FOLDER / "alerts.yaml")], check=True)
    subprocess.run(["promtool", "test", "rules", "alerts.test.yaml"], cwd=FOLDER, check=True)
    # From the tests: a suite on free ports.
    sys.path.insert(0, str(ROOT / "tests"))
    from e2e_suite import start_suite, stop_suite  # noqa: PLC0415  # see above

    suite = start_suite()
    try:
        smoke = [sys.executable, "-m", "vidence_cli", "smoke", suite.address, "--deadline", "110"]
        subprocess.run(smoke, check=True, stdout=subprocess.DEVNULL)
        metrics = urllib.parse.urlparse(str(suite.logged("metrics")["url"])).netloc
        with tempfile.TemporaryDirectory() as folder:
            return scraped(Path(folder), metrics)
    finally:
        stop_suite(suite)


def scraped(folder: Path, target: str) -> int:
    """Lets Prometheus scrape a process and asks it every expression."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FOLDER / "alerts.yaml")],
        "scrape_configs": [{"job_name": "vidence", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with subprocess.Popen(
        [*command, f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=error"]
    ) as server:
        try:
            until = time.monotonic() + START_S
            while not answers('up{job="vidence"} == 1'):
                if time.monotonic() > until or server.poll() is not None:
                    print("Prometheus did not scrape the suite", file=sys.stderr)
                    return 1
                time.sleep(0.2)
            time.sleep(SCRAPES_S)
            silent = [text for text in expressions() if not answers(text)]
            asked = sum(1 for _ in expressions())
            print(f"{asked} expressions asked, {asked - len(silent)} have data now")
            for text in silent:
                print(f"  no data (no such thing happened): {text}")
            return 0
        finally:
            server.terminate()


def expressions() -> Iterator[str]:
    """Those of the dashboard, with its variables filled in, and those of the rules."""
    board = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def answers(expression: str) -> bool:
    """Whether an expression has data; raises where Prometheus does not understand it."""
    url = f"http://127.0.0.1:{PORT}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError:
        print(f"Prometheus refuses: {expression}", file=sys.stderr)
        raise
    except OSError:
        return False
    return bool(found["data"]["result"])


if __name__ == "__main__":
    sys.exit(main())

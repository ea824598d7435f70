"""What a deployment tells the server and Envoy, read as they read it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.envoy.certificate import development_certificate
from vidence_server.bridge.envoy.process import envoy_binary, write_files
from vidence_server.bridge.settings import BridgeSettings, EnvoySettings
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.suite_settings import DATA_DIR_VARIABLE, SuiteSettings

Json = dict[str, Any]


def check_names(environment: Mapping[str, str]) -> None:
    """Every variable names a section of the settings; the loader itself looks at the keys."""
    for variable in environment:
        section, *keys = variable.removeprefix("VIDENCE_").lower().split("__")
        if variable != DATA_DIR_VARIABLE:
            # A section that is unknown belongs to another process and is left alone, so look for it here.
            assert section in SuiteSettings.model_fields, variable
            assert keys, variable


def write_envoy(bridge: BridgeSettings, tls: TlsSettings, folder: Path) -> Json:
    """What `vidence envoy config` writes, with certificates that are there; checked by Envoy itself."""
    if tls.peer_ca is not None:
        made = development_certificate(folder)
        assert made is not None
        tls = tls.model_copy(update={"certificate": made[0], "key": made[1], "peer_ca": made[0]})
    if bridge.envoy.certificate is not None:
        made = development_certificate(folder)
        assert made is not None
        own = bridge.envoy.model_copy(update={"certificate": made[0], "key": made[1]})
        bridge = bridge.model_copy(update={"envoy": own})
    path = write_files(Contract(descriptor_bytes()), bridge, folder, tls)
    command = [str(envoy_binary(EnvoySettings())), "--mode", "validate", "--config-path", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    config: Json = json.loads(path.read_text(encoding="utf-8"))
    return config


def endpoints(config: Json) -> dict[str, tuple[str, int]]:
    """Host and port of each of Envoy's clusters."""
    found = {}
    for cluster in config["static_resources"]["clusters"]:
        (group,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = group["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        found[cluster["name"]] = (address["address"], address["port_value"])
    return found

"""Starts os-ken applications: what `osken-manager` did before os-ken 4 dropped it.

An application is named by the name of a built-in one, by a module, or by a file.  os-ken is
imported only here and in the applications, when it is needed: the switch itself works
without it.
"""

import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ovsflow.errors import HostError, UsageError

BUILT_IN = {
    "learning": "ovsflow.controller.learning",
    "overlay": "ovsflow.controller.overlay",
}


def run(applications: Sequence[str], host: str, port: int, settings: dict[str, str]) -> None:
    """Runs applications until interrupted.

    Args:
        applications: Built-in names, dotted modules, or paths that end in `.py`.
        host: Address to listen on.
        port: TCP port to listen on.
        settings: Passed to every application as the keyword argument `settings`.

    Raises:
        UsageError: An application cannot be found or imported.
        HostError: os-ken is not installed, or the address cannot be used.
    """
    try:
        from os_ken import cfg
        from os_ken.base.app_manager import AppManager
        from os_ken.controller import controller as _options
        from os_ken.lib import hub
    except ImportError as error:
        raise HostError("controllers need os-ken: pip install 'ovsflow[controller]'") from error
    modules = [_module(name) for name in applications]
    _check_address(host, port)
    # os-ken registers its options while its controller module is imported.
    assert _options is not None
    cfg.CONF(args=[], project="ovsflow")
    cfg.CONF.ofp_listen_host = host
    cfg.CONF.ofp_tcp_listen_port = port
    manager = AppManager.get_instance()
    manager.load_apps([*modules, "os_ken.controller.ofp_handler"])
    contexts = manager.create_contexts()
    threads = manager.instantiate_apps(settings=settings, **contexts)
    logging.getLogger(__name__).info("controller listens on tcp:%s:%d", host, port)
    try:
        hub.joinall(threads)
    except KeyboardInterrupt:
        pass
    finally:
        manager.close()


def _module(name: str) -> str:
    """Returns an importable module name for an application, importing files by path."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if not name.endswith(".py"):
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            known = ", ".join(BUILT_IN)
            raise UsageError(
                f"no application '{name}': give a .py file, a module, or one of {known}"
            )
        return name
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"no such file: {name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"cannot import {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # Whatever the user's file raises while it is imported is the user's to mend.
        raise UsageError(f"{name}: {type(error).__name__}: {error}") from error
    return path.stem


def _check_address(host: str, port: int) -> None:
    """Says at once, in one sentence, that an address is taken: os-ken would only log it."""
    import socket

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise HostError(f"cannot listen on tcp:{host}:{port}: {error.strerror}") from error

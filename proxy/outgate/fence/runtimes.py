"""Programs that agents use: how each is made to ask for one URL, and what to do where it doesn't come to the gate."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOMAIN = "doctor.test"
"""Nobody's (RFC 6761, 6.2): there is no such host anywhere."""
SETTINGS = "say the proxy in its own settings"
VARIABLES = "it reads none of certs/trust.yaml's variables for that: name the CA file to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How to make a program ask for `{url}`. `ignores` and `distrusts`: what to do, where that is known to happen."""

    name: str
    program: str
    argv: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    version: tuple[str, ...] = ("--version",)
    ignores: str = SETTINGS
    distrusts: str = VARIABLES

    @property
    def host(self) -> str:
        return f"{''.join(c if c.isalnum() else '-' for c in self.name.lower())}.{DOMAIN}"

    @property
    def url(self) -> str:
        return f"https://{self.host}/"


def _python(library: str, code: str, ignores: str = SETTINGS) -> Runtime:
    guarded = f"import importlib.util, sys\nif importlib.util.find_spec({library!r}) is None: sys.exit(77)\n{code}"
    return Runtime(
        name=f"Python {library}",
        program="python3",
        argv=("python3", "-c", guarded, "{url}"),
        ignores=ignores,
    )


JAVA = """\
import java.net.URI;
import javax.net.ssl.HttpsURLConnection;

public class Probe {
    public static void main(String[] args) throws Exception {
        HttpsURLConnection connection = (HttpsURLConnection) URI.create(args[0]).toURL().openConnection();
        connection.setConnectTimeout(10000);
        connection.setReadTimeout(10000);
        System.out.println(connection.getResponseCode());
    }
}
"""
NODE_AGE = "use Node 22.21, 24.5 or newer: older ones know no proxy"
SETTLED = ".then(r => r.text()).then(() => process.exit(0), e => { console.error(e); process.exit(1) })"

RUNTIMES = (
    Runtime(name="curl", program="curl", argv=("curl", "-sS", "--max-time", "10", "{url}")),
    Runtime(name="wget", program="wget", argv=("wget", "-nv", "-O", "-", "--timeout=10", "--tries=1", "{url}")),
    Runtime(name="git", program="git", argv=("git", "ls-remote", "{url}a.git")),
    _python("urllib", "import urllib.request; urllib.request.urlopen(sys.argv[1], timeout=10)"),
    _python("requests", "import requests; requests.get(sys.argv[1], timeout=10)"),
    _python("httpx", "import httpx; httpx.get(sys.argv[1], timeout=10)"),
    _python(
        "aiohttp",
        "import aiohttp, asyncio\n"
        "async def ask():\n"
        "    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session, session.get(sys.argv[1]): pass\n"
        "asyncio.run(ask())",
        ignores="ClientSession(trust_env=True)",
    ),
    _python(
        "urllib3",
        "import urllib3; urllib3.PoolManager(retries=False, timeout=10).request('GET', sys.argv[1])",
        ignores="urllib3.proxy_from_url(os.environ['HTTPS_PROXY'])",
    ),
    Runtime(
        name="pip",
        program="python3",
        argv=(
            *("python3", "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"),
            *("--retries", "0", "--timeout", "10", "--index-url", "{url}simple", "outgate-doctor"),
        ),
        version=("-m", "pip", "--version"),
    ),
    Runtime(
        name="uv",
        program="uv",
        argv=("uv", "pip", "compile", "--no-cache", "--no-config", "--default-index", "{url}simple", "wanted.in"),
        files={"wanted.in": "outgate-doctor\n"},
        environ={"UV_HTTP_RETRIES": "0"},
    ),
    Runtime(
        name="Node fetch", program="node", argv=("node", "-e", "fetch(process.argv[1])" + SETTLED, "{url}"), ignores=NODE_AGE
    ),
    Runtime(
        name="Node https",
        program="node",
        argv=("node", "-e", "require('https').get(process.argv[1], r => r.resume())", "{url}"),
        ignores=NODE_AGE,
    ),
    Runtime(name="npm", program="npm", argv=("npm", "ping", "--registry", "{url}", "--fetch-retries=0", "--no-update-notifier")),
    Runtime(name="Deno", program="deno", argv=("deno", "run", "-A", "probe.js"), files={"probe.js": "await fetch('{url}')"}),
    Runtime(name="Bun", program="bun", argv=("bun", "run", "probe.js"), files={"probe.js": "await fetch('{url}')"}),
    Runtime(
        name="Java",
        program="java",
        argv=("java", "Probe.java", "{url}"),
        files={"Probe.java": JAVA},
        version=("-version",),
    ),
    Runtime(
        name="Ruby",
        program="ruby",
        argv=("ruby", "-rnet/http", "-e", "Net::HTTP.get_response(URI(ARGV[0]))", "{url}"),
    ),
    Runtime(
        name="Go",
        program="go",
        argv=("go", "list", "-m", "-versions", "outgate.invalid/doctor"),
        environ={"GOPROXY": "{url}", "GONOSUMDB": "*", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"},
        version=("version",),
    ),
    Runtime(
        name="cargo",
        program="cargo",
        argv=("cargo", "search", "outgate", "--registry", "doctor"),
        environ={"CARGO_REGISTRIES_DOCTOR_INDEX": "sparse+{url}", "CARGO_NET_RETRY": "0"},
    ),
    Runtime(
        name="PHP",
        program="php",
        argv=("php", "-r", "file_get_contents($argv[1]);", "{url}"),
        ignores="its streams know no proxy: use the curl extension",
    ),
)


def found(environ: Mapping[str, str]) -> Iterator[Runtime]:
    """Those whose program is on this PATH."""
    return (runtime for runtime in RUNTIMES if shutil.which(runtime.program, path=environ.get("PATH")))


def asked_of(runtime: Runtime, folder: str) -> dict[str, object]:
    """How `inside.py` is told to run it."""

    def filled(text: str) -> str:
        return text.replace("{url}", runtime.url)

    return {
        "name": runtime.name,
        "folder": f"{folder}/{runtime.host}",
        "argv": [filled(word) for word in runtime.argv],
        "environ": {name: filled(value) for name, value in runtime.environ.items()},
        "files": {name: filled(text) for name, text in runtime.files.items()},
        "version": [runtime.program, *runtime.version],
    }

"""outgate.app.notifying"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field

import pytest
import trustme
from posted import taking

from outgate.app.notifying import context_of, notifier, secret_in
from outgate.errors import ConfigError, UnavailableError
from outgate.net.upstream import Trust
from outgate.settings import Ntfy, Settings, Webhook
from outgate.telemetry.metrics import Metrics


@dataclass
class Alarm:
    told: list[str] = field(default_factory=list)

    def raise_for(self, error, doing):
        self.told.append(f"{error} while {doing}")


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "webhook.secret"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    path.chmod(0o600)
    return path


def test_everybody_that_the_settings_name_is_told(secret, tmp_path):
    metrics, alarm = Metrics(), Alarm()
    with taking() as taker:
        settings = Settings(
            webhooks=(Webhook(url=f"{taker.url}/hook", secret_file=secret),),
            ntfy=(Ntfy(url=taker.url, topic="ops", token_file=secret), Ntfy(url=taker.url, topic="free")),
        )
        made = notifier(settings, metrics, alarm, lambda _: Trust(ca=tmp_path / "none"))
        made.start()
        made.noted("approval-asked", "coder", {"approval": "abcd-efgh-2345", "tier": 2})
        came = {one.path: one for one in (taker.next(), taker.next(), taker.next())}
        made.close()
    assert json.loads(came["/hook"].body)["agent"] == "coder"
    assert came["/ops"].headers["authorization"] == "Bearer 0123456789abcdef0123456789abcdef"
    assert "authorization" not in came["/free"].headers
    assert metrics.registry.get_sample_value("outgate_notifications_total", {"to": "ntfy", "result": "sent"}) == 2
    assert alarm.told == []


def test_a_place_is_verified_as_an_upstream_is(secret, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert context_of(Trust(ca=tmp_path / "ca.pem")).verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(UnavailableError, match=r"gone\.pem"):
        context_of(Trust(ca=tmp_path / "gone.pem"))


def test_a_secret_is_what_stands_in_its_file_without_the_lines_end(secret):
    assert secret_in(secret) == b"0123456789abcdef0123456789abcdef"


def test_a_secret_that_others_may_read_is_none(secret):
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod o="):
        secret_in(secret)


@pytest.mark.parametrize("said", ["", "\n", "x" * 2000])
def test_a_file_without_a_secret_is_said_so(secret, said):
    secret.write_text(said)
    with pytest.raises(ConfigError, match="holds no secret"):
        secret_in(secret)


def test_a_secret_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="can't be read"):
        secret_in(tmp_path / "none")

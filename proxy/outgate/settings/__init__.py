"""Settings: everything an operator may set but the policy, checked whole before anything starts."""

from outgate.settings.form import FORM
from outgate.settings.load import FILE, json_schema, load, read
from outgate.settings.values import (
    BODY_LIMIT,
    DRAIN,
    HOLD,
    AgentSettings,
    Ntfy,
    Settings,
    Webhook,
    config_folder,
    state_folder,
)

__all__ = [
    "BODY_LIMIT",
    "DRAIN",
    "FILE",
    "FORM",
    "HOLD",
    "AgentSettings",
    "Ntfy",
    "Settings",
    "Webhook",
    "config_folder",
    "json_schema",
    "load",
    "read",
    "state_folder",
]

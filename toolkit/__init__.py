"""What both programs share and neither owns: settings, secrets, logs, lifecycle, the web side."""

from __future__ import annotations

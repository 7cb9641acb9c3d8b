"""The ways to deliver a report, one file each."""

from __future__ import annotations

from toolkit.plugins import import_siblings

import_siblings(__name__, __path__)

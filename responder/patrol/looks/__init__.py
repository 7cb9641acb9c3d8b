"""One look each; importing the folder registers all of them."""

from __future__ import annotations

from toolkit.plugins import import_siblings

import_siblings(__name__, __path__)

"""What secrets look like: by their own form, by what stands beside them, or by their entropy.

Sources: the vendors' own descriptions of their keys; RFC 7519 (JWT), RFC 7468 (PEM), RFC 3986
(user information), RFC 6265 (cookies), RFC 7235 (Authorization).
"""

# ruff: noqa: ISC004 - a form may take two lines, and each has its comma

from __future__ import annotations

import re

# Each by its own form, the longest first where one is part of another.
_FORMS = (
    (
        "private-key",
        (
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
            r"[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
        ),
    ),
    ("private-key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*"),
    ("aws-key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("github-token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("gitlab-token", r"\b(?:glpat|gldt|glrt|glcbt|glptt)-[A-Za-z0-9_-]{16,}"),
    ("slack-token", r"\bx(?:ox[abeoprs]|app)-[A-Za-z0-9-]{8,}"),
    (
        "webhook",
        r"https://(?:hooks\.slack\.com|discord(?:app)?\.com/api/webhooks"
        r"|[a-z0-9.-]+\.webhook\.office\.com)/[A-Za-z0-9/_@.-]+",
    ),
    ("google-key", r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("google-token", r"\b(?:ya29\.[A-Za-z0-9_-]{16,}|GOCSPX-[A-Za-z0-9_-]{16,})"),
    ("huggingface-token", r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}"),
    (
        "api-key",
        r"\b(?:sk|pk|rk|xai|nvapi|key|lin_api|whsec)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}",
    ),
    (
        "api-key",
        r"\b(?:npm|gsk|r8|dop_v1|doo_v1|shp(?:at|ca|pa|ss)|glsa|glc|pul|dapi|sntrys|figd|rdme|tskey)"
        r"[-_]?(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}",
    ),
    ("api-key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("api-key", r"\bpypi-[A-Za-z0-9_-]{20,}"),
    ("api-key", r"\bATATT3[A-Za-z0-9_=-]{20,}"),
    ("api-key", r"\b(?:SK|AC)[0-9a-f]{32}\b"),
    ("vault-token", r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}"),
    ("azure-secret", r"\b[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{30,}"),
    ("bot-token", r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b"),
    ("bot-token", r"\b[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),
    ("bootstrap-token", r"\b[a-z0-9]{6}\.(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{16}\b"),
    ("password-hash", r"\$(?:2[abxy]?|5|6|y|argon2(?:id|i|d))\$[A-Za-z0-9./$=,+-]{16,}"),
    # To the last @ of a word; a port that is followed by a path is none.
    (
        "url-password",
        r"(?<=://)[^\s:/@?#<>]{0,256}:(?!\d{1,5}[/?#])[^\s<>\"']{1,256}(?=@[\w\[.-])",
    ),
    ("url-password", r"(?<=://)(?=[A-Za-z]*\d)[A-Za-z0-9_-]{20,}(?=@)"),
    ("authorization", r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]{8,}"),
    ("authorization", r"(?i)(?<=\bbasic )[A-Za-z0-9+/]{8,}={0,2}"),
)
KNOWN = tuple((kind, re.compile(pattern)) for kind, pattern in _FORMS)

_NAMES = (
    r"password|passwd|passphrase|passwort|pwd|secret|token|credentials?|api[ _-]?key|app[_-]?key"
    r"|access[_-]?key|account[_-]?key|shared[_-]?key|private[_-]?key|secret[_-]?key"
    r"|encryption[_-]?key|signing[_-]?key|signature|session[_-]?id|sessionid|x-amz-security-token"
)
_BESIDE = (
    # name = value, name: value, "name": "value"; quoted, up to the quotation mark.
    rf"(?i)((?:{_NAMES})\\?[\"']?\s{{0,4}}[=:]>?\s{{0,4}}\\?\")(?!<)([^\"\\<]{{4,400}})",
    rf"(?i)((?:{_NAMES})\\?[\"']?\s{{0,4}}[=:]>?\s{{0,4}}\\?[\"']?)(?!<|\d+\b)([^\s\"',;&<>\\]{{4,}})",
    # Flags of a command, and what curl, mysql and .netrc take.
    rf"(?i)(--(?:{_NAMES}|user)[ =][\"']?)(?!<|-)([^\s\"'<>]{{4,}})",
    r"(?i)(\bcurl\b[^\n]{0,120}?\s-u\s?[\"']?)(?!<)([^\s\"'<>]{3,})",
    r"(?i)(\bmysql(?:dump|admin)?\b[^\n]{0,120}?\s-p)(?!<|ort)([^\s\"'<>]{4,})",
    r"(?i)(\blogin\s+\S{1,80}\s+password\s+)(?!<)([^\s<>]{3,})",
    # Headers.
    r"(?i)(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:token|apikey|api-key|key|negotiate"
    r"|aws4-hmac-sha256)\s)(?!<)([^\n\"'<]{6,400})",
    r"(?i)(\bdigest\b[^\n]{0,400}?\bresponse=\"?)(?!<)([0-9a-f]{32,})",
    r"(?i)(\bx-[a-z-]{0,30}(?:key|auth|signature)[\"']?\s*[:=]\s*[\"']?)(?!<)([^\s\"',;<>]{6,})",
    r"(?i)(\"auths?\"\s*:\s*\")(?!<)([A-Za-z0-9+/=]{8,})",
    # In the query of an address.
    r"(?i)([?&](?:key|sig|auth|code|session|sid|jwt|assertion|hash|pass)=)(?!<)([^\s\"'&<>]{6,})",
)
BESIDE = tuple(re.compile(pattern) for pattern in _BESIDE)

COOKIES = re.compile(r"(?i)(\b(?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)([^\n\"'<]{3,2000})")
COOKIE = re.compile(r"([^\s=;,]{1,100}=)(?!<)([^;,\s<]{6,})")

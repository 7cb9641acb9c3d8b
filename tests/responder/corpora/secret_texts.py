"""Forms of secrets, every one made up anew at run time, in lines as telemetry has them."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass

_ALNUM = string.ascii_letters + string.digits
_LOWER = string.ascii_lowercase + string.digits
_UPPER = string.ascii_uppercase + string.digits
_SAFE = _ALNUM + "-_"
_HEX = "0123456789abcdef"
_BASE64 = _ALNUM + "+/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """A line with secrets in it: none of `secrets` may be seen anywhere."""

    family: str
    name: str
    line: str
    secrets: tuple[str, ...]


class Mint:
    """Makes secrets up, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        """Begin."""
        self._random = random.Random(seed)

    def of(self, alphabet: str, length: int) -> str:
        """Make one of these characters, of each kind that there is at least one."""
        while True:
            made = "".join(self._random.choices(alphabet, k=length))
            kinds = (str.isdigit, str.isalpha)
            if all(any(map(kind, made)) for kind in kinds if any(map(kind, alphabet))):
                return made

    def alnum(self, length: int) -> str:
        """Make one of letters and digits."""
        return self.of(_ALNUM, length)

    def safe(self, length: int) -> str:
        """Make one as addresses take it, with a letter at its ends."""
        return "a" + self.of(_SAFE, length - 2) + "Z"

    def hex(self, length: int) -> str:
        """Make a hexadecimal one."""
        return self.of(_HEX, length)

    def base64(self, size: int) -> str:
        """Make one in base64."""
        return base64.b64encode(self._random.randbytes(size)).decode()

    def password(self) -> str:
        """Make one as people choose them."""
        return self._random.choice(("Tulpe", "Granit", "Nebel")) + self.alnum(5) + "!x"


def planted(seed: int = 7) -> list[Planted]:
    """Make the corpus."""
    mint = Mint(seed)
    families = {
        "model providers": _providers,
        "code and packages": _forges,
        "cloud": _clouds,
        "chat and services": _services,
        "key blocks": _blocks,
        "addresses and DSNs": _addresses,
        "headers and cookies": _headers,
        "assignments": _assignments,
        "commands": _commands,
        "high entropy": _bare,
    }
    return [
        Planted(family=family, name=name, line=line, secrets=secrets)
        for family, make in families.items()
        for name, line, secrets in make(mint)
    ]


Made = Iterator[tuple[str, str, tuple[str, ...]]]


def _told(
    name: str, secret: str, line: str = "upstream refused {} with 401"
) -> tuple[str, str, tuple[str, ...]]:
    return name, line.format(secret), (secret,)


def _providers(mint: Mint) -> Made:
    yield _told("mistral", mint.alnum(32))
    yield _told("openai", "sk-" + mint.alnum(48))
    yield _told("openai project", "sk-proj-" + mint.safe(60) + mint.alnum(20))
    yield _told("anthropic", "sk-ant-api03-" + mint.alnum(40) + "-" + mint.alnum(40) + "AA")
    yield _told("hugging face", "hf_" + mint.alnum(34))
    yield _told("groq", "gsk_" + mint.alnum(52))
    yield _told("xai", "xai-" + mint.alnum(80))
    yield _told("replicate", "r8_" + mint.alnum(37))
    yield _told("nvidia", "nvapi-" + mint.alnum(64))


def _forges(mint: Mint) -> Made:
    yield _told("github classic", "ghp_" + mint.alnum(36), "git clone failed for {}")
    yield _told("github server", "ghs_" + mint.alnum(36))
    yield _told("github fine", "github_pat_" + mint.alnum(22) + "_" + mint.alnum(59))
    yield _told("gitlab", "glpat-" + mint.alnum(20))
    yield _told("gitlab runner", "glrt-" + mint.alnum(20))
    yield _told("npm", "npm_" + mint.alnum(36), "publish with {} forbidden")
    yield _told("pypi", "pypi-AgEIcHlwaS5vcmc" + mint.alnum(80))


def _clouds(mint: Mint) -> Made:
    yield _told("aws id", "AKIA" + mint.of(_UPPER, 16), "credentials {} expired")
    secret = mint.of(_BASE64, 40)
    yield "aws secret", f"aws_secret_access_key = {secret}", (secret,)
    yield _told("aws temporary", "ASIA" + mint.of(_UPPER, 16))
    session = mint.base64(120)
    yield "aws session", f"X-Amz-Security-Token: {session}", (session[:40], session[-40:])
    signature = mint.hex(64)
    link = f"https://bucket.s3.amazonaws.com/m.bin?X-Amz-Expires=60&X-Amz-Signature={signature}"
    yield "aws presigned", link, (signature,)
    yield _told("google key", "AIza" + mint.safe(35))
    yield _told("google access", "ya29." + mint.safe(90))
    yield _told("google client", "GOCSPX-" + mint.safe(28))
    key = mint.base64(64)
    account = f"DefaultEndpointsProtocol=https;AccountName=m;AccountKey={key};EndpointSuffix=w"
    yield "azure storage", account, (key[:40], key[-40:])
    yield _told("azure client", mint.alnum(3) + "8Q~" + mint.alnum(34))
    sig = mint.alnum(43)
    sas = f"https://m.blob.core.windows.net/c/w.bin?sv=2022-11-02&sp=r&sig={sig}%3D"
    yield "azure sas", sas, (sig,)
    yield _told("digitalocean", "dop_v1_" + mint.hex(64))


def _services(mint: Mint) -> Made:
    yield _told("slack bot", f"xoxb-{mint.of(string.digits, 12)}-{mint.alnum(24)}")
    hook = f"T{mint.of(_UPPER, 8)}/B{mint.of(_UPPER, 8)}/{mint.alnum(24)}"
    yield (
        "slack hook",
        f"post to https://hooks.slack.com/services/{hook} failed",
        (hook, hook[-24:]),
    )
    discord = f"{mint.of(string.digits, 18)}/{mint.safe(68)}"
    yield "discord hook", f"POST https://discord.com/api/webhooks/{discord} 429", (discord[-40:],)
    bot = f"{mint.of(string.digits, 10)}:{mint.safe(35)}"
    yield "telegram", f"https://api.telegram.org/bot{bot}/sendMessage timed out", (bot[-35:],)
    yield _told("stripe", "sk_live_" + mint.alnum(24))
    yield _told("stripe hook", "whsec_" + mint.alnum(32))
    yield _told("sendgrid", f"SG.{mint.safe(22)}.{mint.safe(43)}")
    yield _told("twilio", "SK" + mint.hex(32))
    yield _told("grafana", "glsa_" + mint.alnum(32) + "_" + mint.hex(8))
    yield _told("vault", "hvs." + mint.safe(90))
    yield _told("kubeadm", f"{mint.of(_LOWER, 6)}.{mint.of(_LOWER, 16)}", "join with {} refused")
    yield _told("databricks", "dapi" + mint.hex(32))
    yield _told("atlassian", "ATATT3" + mint.safe(180))


def _blocks(mint: Mint) -> Made:
    for kind in ("RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""):
        rows = [mint.base64(48) for _ in range(4)]
        head, foot = f"-----BEGIN {kind}PRIVATE KEY-----", f"-----END {kind}PRIVATE KEY-----"
        block = "\n".join([head, *rows, foot])
        yield f"pem {kind.strip().lower() or 'pkcs8'}", f"cannot parse {block}", tuple(rows)
    rows = [mint.base64(48) for _ in range(3)]
    whole = "\n".join(["-----BEGIN PGP PRIVATE KEY BLOCK-----", "", *rows])
    yield "pgp, cut", whole, tuple(rows)
    rows = [mint.base64(48) for _ in range(3)]
    pem = "\n".join(["-----BEGIN PRIVATE KEY-----", *rows, "-----END PRIVATE KEY-----"])
    yield "pem in json", json.dumps({"type": "service_account", "private_key": pem}), tuple(rows)
    yield _told("age", "AGE-SECRET-KEY-1" + mint.of(_UPPER, 58), "identity {} not usable")


def _addresses(mint: Mint) -> Made:
    for name, scheme, user in (
        ("postgres", "postgresql", "vigie"),
        ("mysql", "mysql+pymysql", "app"),
        ("redis", "rediss", ""),
        ("amqp", "amqp", "worker"),
        ("mongo", "mongodb+srv", "root"),
        ("proxy", "http", "egress"),
    ):
        secret = mint.password()
        yield name, f"dial {scheme}://{user}:{secret}@db.internal:5432/x refused", (secret,)
    secret = f"p@{mint.alnum(6)}/w:d"
    yield "odd password", f"amqp://worker:{secret}@mq.internal/vhost: closed", (secret[2:8],)
    secret = mint.hex(32)
    yield "sentry", f"https://{secret}@o1.ingest.example/42 dropped events", (secret,)
    secret = mint.password()
    yield "libpq", f"could not connect: host=db user=app password={secret} dbname=x", (secret,)
    secret = mint.password()
    yield "odbc", f"Server=db;Database=x;Uid=app;Pwd={secret};Encrypt=yes", (secret,)


def _headers(mint: Mint) -> Made:
    token = mint.safe(40)
    yield "bearer", f"> Authorization: Bearer {token}", (token,)
    pair = base64.b64encode(f"app:{mint.password()}".encode()).decode()
    yield "basic", f"authorization: Basic {pair}", (pair.rstrip("="),)
    token = mint.hex(40)
    yield "token", f"Authorization: Token {token}", (token,)
    token = mint.hex(32)
    yield "x-api-key", f"x-api-key: {token}", (token,)
    token = mint.hex(32)
    yield "own header", f"'X-Scoring-Auth': '{token}'", (token,)
    one, two = mint.hex(32), mint.alnum(26)
    cookie = f"Cookie: theme=dark; sessionid={one}; csrftoken={two}"
    yield "cookies", cookie, (one, two)
    one = mint.safe(60)
    yield "set-cookie", f"Set-Cookie: sid={one}; HttpOnly; Path=/", (one,)
    parts = tuple(
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        for text in (json.dumps({"alg": "HS256"}), json.dumps({"sub": mint.alnum(12)}))
    )
    signature = mint.safe(43)
    yield "jwt", f"invalid jwt {'.'.join((*parts, signature))}", (signature, parts[1])
    digest = mint.hex(32)
    line = f'Authorization: Digest username="app", response="{digest}"'
    yield "digest", line, (digest,)


def _assignments(mint: Mint) -> Made:
    for name in (
        "password",
        "DB_PASSWORD",
        "client_secret",
        "apiKey",
        "refresh_token",
        "passphrase",
    ):
        secret = mint.password()
        yield name, f"config: {name}={secret} loaded", (secret,)
    secret = mint.password()
    yield "json", json.dumps({"user": "app", "password": secret, "retries": 3}), (secret,)
    secret = mint.password()
    yield "json in json", json.dumps({"body": json.dumps({"secret": secret})}), (secret,)
    secret = f"{mint.password()} {mint.password()}"
    yield "quoted, blanks", f'passphrase: "{secret}"', tuple(secret.split())
    secret = mint.password()
    yield "yaml", f"env:\n  - name: X\n    token: {secret}\n", (secret,)
    secret = mint.password()
    yield "go struct", f'&Config{{Host:"db", Password:"{secret}"}}', (secret,)
    secret = mint.password()
    yield "python repr", f"{{'user': 'app', 'passwd': '{secret}'}}", (secret,)
    auth = base64.b64encode(f"robot:{mint.alnum(20)}".encode()).decode()
    yield "docker", f'{{"auths":{{"r.example":{{"auth":"{auth}"}}}}}}', (auth.rstrip("="),)
    seed = mint.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32)
    yield "otp", f"otpauth://totp/x?secret={seed}&issuer=y", (seed,)


def _commands(mint: Mint) -> Made:
    secret = mint.password()
    yield "flag", f"exec: server --port 80 --password {secret} --v 2", (secret,)
    secret = mint.hex(32)
    yield "flag =", f"exec: server --api-key={secret}", (secret,)
    secret = mint.password()
    yield "curl", f"+ curl -s -u app:{secret} http://x/", (secret,)
    secret = mint.password()
    yield "mysql", f"+ mysqldump -h db -uapp -p{secret} x", (secret,)
    secret = mint.password()
    yield "netrc", f"machine x.example login app password {secret}", (secret,)
    secret = mint.password()
    yield "export", f"+ export PGPASSWORD='{secret}'", (secret,)


def _bare(mint: Mint) -> Made:
    for length in (28, 40, 64):
        yield _told(f"alnum {length}", mint.alnum(length), "unexpected value {} in field 3")
    yield _told("base64url", mint.safe(43))
    yield "bcrypt", f"user row: app $2b$12${mint.alnum(53)}", ("$2b$12$",)
    secret = mint.alnum(40)
    yield "unseen inside", f"key {secret[:20]}\u200b{secret[20:]} refused", (secret,)
    secret = mint.alnum(40)
    yield "coloured", f"key \x1b[31m{secret}\x1b[0m refused", (secret,)

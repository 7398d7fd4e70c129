"""The shapes of secrets: one row per shape, for the SDK and for the collector.

A pattern keeps to what Python's ``re`` and RE2 both have and mean alike over bytes: no
look-around, no back references, every repetition of a class bounded or followed by what
the class excludes.
"""

# ruff: noqa: S105 - shapes of secrets, not secrets

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Check = Literal["", "value", "assigned", "random", "long_random", "pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One shape of one kind of secret.

    Attributes:
        name: The kind, as a marker and a counter name it; several shapes may share it.
        pattern: A regular expression over bytes, in lower case where ``ignore_case``; the
            group that took part is the secret.
        literals: Any of these is in every text with a match (lower-case where
            ``ignore_case``).
        hint: A short expression of which every match holds a match; it decides whether
            anything is looked at closely, so it must be rare in clean traffic. Empty:
            the literals.
        ignore_case: Whether upper and lower case are alike.
        check: What the group must be besides: ``value`` no placeholder, ``random`` a
            digit or a sign in it, ``assigned`` the former in quotes and the latter
            without, ``long_random`` letters and digits, ``pairs`` NAME=VALUE.
        begins_with_hint: Whether a match begins where the hint does, so that it need be
            looked for nowhere else.
    """

    name: str
    pattern: str
    literals: tuple[str, ...]
    hint: str = ""
    ignore_case: bool = False
    check: Check = ""
    begins_with_hint: bool = False


def _token(name: str, pattern: str, *literals: str, hint: str = "") -> Kind:
    return Kind(name=name, pattern=pattern, literals=literals, hint=hint)


# Base64 lines of a key, as they stand in files, listings with line numbers, and diffs.
_PEM_BODY: Final = (
    r"(?:\s{0,4}[A-Za-z-]{4,20}: [^\n\"]{1,200}\n){0,4}(?:[A-Za-z0-9+/=\s|>]|→)*"
)

_TOKENS: Final = (
    _token(
        "aws-secret-access-key",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b[\s,:;\"'|]{1,6}([A-Za-z0-9/+]{40})\b",
        "AKIA",
        "ASIA",
    ),
    _token(
        "aws-access-key-id",
        r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b",
        *("AKIA", "ASIA", "ABIA", "ACCA"),
        hint=r"\bA(?:KIA|SIA|BIA|CCA)[A-Z0-9]{8}",
    ),
    _token("gcp-api-key", r"\b(AIza[0-9A-Za-z_-]{35})", "AIza"),
    _token("google-oauth", r"\b(ya29\.[0-9A-Za-z_-]{20,500})", "ya29."),
    _token("google-oauth", r"(GOCSPX-[0-9A-Za-z_-]{20,60})", "GOCSPX-"),
    _token(
        "google-oauth",
        r"\b(1//0[0-9A-Za-z_-]{30,200})",
        "1//0",
        hint=r"\b1(?:\\*/){2}0",
    ),
    _token(
        "private-key",
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        + _PEM_BODY
        + r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?)",
        "PRIVATE KEY",
        hint=r"PRIVATE KEY(?: BLOCK)?-----",
    ),
    _token(
        "private-key",
        r"Private-Lines: \d{1,4}\s{1,4}([A-Za-z0-9+/=\s]{40,1000})",
        "Private-Lines: ",
    ),
    _token("azure-storage-key", r"AccountKey=([A-Za-z0-9+/]{86}==)", "AccountKey="),
    _token(
        "azure-shared-access-key",
        r"SharedAccessKey=([A-Za-z0-9+/]{40,100}={0,2})",
        "SharedAccessKey=",
    ),
    _token(
        "azure-shared-access-key",
        r"[?&](?:amp;)?sig=([A-Za-z0-9%/+_-]{40,120}={0,2})",
        "sig=",
        hint=r"[?&;]sig=",
    ),
    _token(
        "azure-client-secret",
        r"([A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34})",
        "Q~",
        hint=r"\dQ~[A-Za-z0-9_~.-]{8}",
    ),
    _token(
        "azure-openai-key",
        r"\b([A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{20,30})\b",
        "JQQJ99",
    ),
    _token(
        "github-token",
        r"\b(gh[opsur]_[0-9A-Za-z]{36,255})",
        *("ghp_", "gho_", "ghs_", "ghu_", "ghr_"),
        hint=r"gh[opsur]_[0-9A-Za-z]{8}",
    ),
    _token("github-token", r"(github_pat_[0-9A-Za-z_]{22,255})", "github_pat_"),
    _token(
        "gitlab-token",
        r"\b(gl(?:pat|ptt|dt|rt|rtr|cbt|soat|ft|agent|imt|ffct|oas)-[0-9A-Za-z_.-]{20,300})",
        *("glpat-", "glptt-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glsoat-"),
        *("glft-", "glagent-", "glimt-", "glffct-", "gloas-"),
    ),
    _token("slack-token", r"(xox[abceoprs][.-][0-9A-Za-z.-]{10,250})", "xox"),
    _token("slack-token", r"(xapp-\d-[0-9A-Za-z-]{20,250})", "xapp-"),
    _token(
        "slack-webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{20,100})",
        "hooks.slack.com",
    ),
    _token(
        "stripe-key",
        r"\b([prs]k_(?:live|test|prod)_[0-9A-Za-z]{10,255})",
        *("k_live_", "k_test_", "k_prod_"),
    ),
    _token("stripe-key", r"\b(whsec_[A-Za-z0-9+/=]{24,100})", "whsec_"),
    _token("anthropic-key", r"\b(sk-ant-[A-Za-z0-9_-]{20,255})", "sk-ant-"),
    _token("openrouter-key", r"\b(sk-or-v1-[0-9a-f]{32,128})", "sk-or-v1-"),
    _token("langfuse-key", r"\b(sk-lf-[0-9a-f-]{36})", "sk-lf-"),
    _token(
        "openai-key",
        r"\b(sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,255})",
        *("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"),
    ),
    _token(
        "openai-key",
        r"\b(sk-[A-Za-z0-9]{32,128})\b",
        "sk-",
        hint=r"\bsk-[A-Za-z0-9]{12}",
    ),
    _token("huggingface-token", r"\b(hf_[A-Za-z0-9]{30,60})\b", "hf_"),
    _token("huggingface-token", r"\b(api_org_[A-Za-z0-9]{30,60})\b", "api_org_"),
    _token(
        "npm-token", r"\b(npm_[A-Za-z0-9]{36})\b", "npm_", hint=r"\bnpm_[A-Za-z0-9]{12}"
    ),
    _token("pypi-token", r"(pypi-Ag[A-Za-z0-9_-]{50,1000})", "pypi-Ag"),
    _token("twilio-key", r"\b(SK[0-9a-f]{32})\b", "SK", hint=r"\bSK[0-9a-f]{12}"),
    _token(
        "sendgrid-key",
        r"\b(SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64})",
        "SG.",
        hint=r"\bSG\.[A-Za-z0-9_-]{8}",
    ),
    _token(
        "mailgun-key", r"\b(key-[0-9a-f]{32})\b", "key-", hint=r"\bkey-[0-9a-f]{12}"
    ),
    Kind(
        name="mailgun-key",
        pattern=r"mailgun[^\n\"]{0,60}?\b([0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})\b",
        literals=("mailgun",),
        ignore_case=True,
    ),
    Kind(
        name="twilio-key",
        pattern=r"twilio[^\n]{0,40}?[\"'\s:=]([0-9a-f]{32})\b",
        literals=("twilio",),
        ignore_case=True,
    ),
    _token(
        "jwt",
        r"\b(eyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        ".eyJ",
    ),
    _token(
        "jwt",
        r"\b(eyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{0,800}\.[A-Za-z0-9_-]{16,40}"
        r"\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22,86})",
        "eyJ",
        hint=r"\beyJ[A-Za-z0-9_-]{8,100}\.[A-Za-z0-9_-]",
    ),
    _token(
        "telegram-token",
        r"\b(\d{8,10}:AA[A-Za-z0-9_-]{33})",
        ":AA",
        hint=r"\d:AA[A-Za-z0-9_-]{8}",
    ),
    _token(
        "discord-webhook",
        r"discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{15,22}/([A-Za-z0-9_-]{50,100})",
        "/webhooks/",
        hint=r"discord(?:app)?\.com[\\]{0,4}/api",
    ),
    # The first part is the base64 of a number of 17 to 20 digits.
    _token(
        "discord-token",
        r"\b((?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){5,6}[A-Za-z0-9]{0,5}"
        r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45})",
        *("M", "N", "O"),
        hint=r"(?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){5}",
    ),
    _token(
        "shopify-token",
        r"\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b",
        *("shpat_", "shpca_", "shppa_", "shpss_"),
    ),
    _token(
        "digitalocean-token",
        r"\b(do[opr]_v1_[0-9a-f]{64})\b",
        *("doo_v1_", "dop_v1_", "dor_v1_"),
    ),
    _token(
        "databricks-token",
        r"\b(dapi[0-9a-f]{32}(?:-\d)?)\b",
        "dapi",
        hint=r"\bdapi[0-9a-f]{12}",
    ),
    _token("age-key", r"(AGE-SECRET-KEY-1[0-9A-Za-z]{58})", "AGE-SECRET-KEY-1"),
    _token(
        "vault-token",
        r"\b(hv[sbr]\.[A-Za-z0-9_-]{24,300})",
        *("hvs.", "hvb.", "hvr."),
        hint=r"\bhv[sbr]\.[A-Za-z0-9_-]{12}",
    ),
    _token(
        "terraform-token",
        r"\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,100})",
        ".atlasv1.",
    ),
    _token(
        "atlassian-token", r"\b(AT[AC]TT3[A-Za-z0-9_=.-]{50,500})", "ATATT3", "ATCTT3"
    ),
    _token(
        "linear-key",
        r"\b(lin_(?:api|oauth)_[A-Za-z0-9]{32,64})\b",
        "lin_api_",
        "lin_oauth_",
    ),
    _token("notion-token", r"\b(ntn_[0-9]{9,13}[A-Za-z0-9]{30,40})\b", "ntn_"),
    _token("sentry-token", r"(sntr[ysu]{2}_[A-Za-z0-9+/=_-]{40,400})", "sntry"),
    _token("grafana-token", r"\b(gl(?:sa|c)_[A-Za-z0-9+/=_]{32,400})", "glsa_", "glc_"),
    _token(
        "newrelic-key",
        r"\b(NR(?:AK|JS|II|RA)-[A-Za-z0-9_-]{20,64})",
        "NRAK-",
        "NRJS-",
        "NRII-",
        "NRRA-",
    ),
    _token("docker-token", r"\b(dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64})", "dckr_"),
    _token("groq-key", r"\b(gsk_[A-Za-z0-9]{40,64})\b", "gsk_"),
    _token(
        "xai-key",
        r"\b(xai-[A-Za-z0-9]{60,100})\b",
        "xai-",
        hint=r"\bxai-[A-Za-z0-9]{20}",
    ),
    _token("perplexity-key", r"\b(pplx-[A-Za-z0-9]{40,64})\b", "pplx-"),
    _token(
        "replicate-token",
        r"\b(r8_[A-Za-z0-9]{36,40})\b",
        "r8_",
        hint=r"\br8_[A-Za-z0-9]{12}",
    ),
    _token(
        "langsmith-key",
        r"\b(ls(?:v2)?_(?:pt|sk)_[0-9a-f]{32}(?:_[0-9a-f]{8,12})?)\b",
        "_pt_",
        "_sk_",
        hint=r"ls(?:v2)?_(?:pt|sk)_",
    ),
    _token(
        "supabase-key",
        r"\b(sb(?:p_[0-9a-f]{40}|_secret_[A-Za-z0-9_-]{20,64}))",
        "sbp_",
        "sb_secret_",
    ),
    _token(
        "planetscale-token",
        r"\b(pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,70})",
        "pscale_",
    ),
    _token("postman-key", r"\b(PMAK-[0-9a-f]{24}-[0-9a-f]{34})\b", "PMAK-"),
    _token(
        "pulumi-token", r"\b(pul-[0-9a-f]{40})\b", "pul-", hint=r"\bpul-[0-9a-f]{12}"
    ),
    _token("square-token", r"\b(sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,60})", "sq0"),
    _token(
        "figma-token",
        r"\b(fig[dour]_[A-Za-z0-9_-]{40,60})",
        "figd_",
        "figo_",
        "figu_",
        "figr_",
    ),
    _token("1password-token", r"\b(ops_eyJ[A-Za-z0-9_-]{100,1000})", "ops_eyJ"),
)

# --- values that only their name gives away

_EQUALS: Final = r"[\"'`]?[ \t]{0,4}(?::|=>|:=|=)\s{0,4}\[?\s{0,4}"
_PASSWORD: Final = r"pass(?:word|wd|phrase|code)|\bpwd|_pwd|\bpgpass"
_KEY: Final = (
    r"api[_-]?key|apikey|access[_-]?key|secret[_-]?key|private[_-]?key|account[_-]?key"
    r"|encryption[_-]?key|signing[_-]?key|master[_-]?key|client[_-]?secret|app[_-]?secret"
    r"|shared[_-]?secret|webhook[_-]?secret|jwt[_-]?secret|session[_-]?secret|auth[_-]?key"
    r"|(?:auth|access|refresh|api|bearer|session|secret|security|bot|personal|deploy|oauth"
    r"|csrf|messaging|github|gitlab|slack|npm|id)[_-]?token"
)
# Any variable of an environment that ends so.
_VARIABLE: Final = (
    r"\b[A-Z][A-Z0-9_]{0,60}_(?:TOKEN|SECRET|KEY|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?)"
    r"[\"']?\s{0,2}[=:]\s{0,2}[\"']?([^\s\"'`&;,<>(){}\[\]\\|\x00]{6,500})"
)
# What may stand between a name and its value, also as JSON in JSON, or as protobuf.
_NEXT: Final = r"[\"'`\\]{0,8}[ \t]{0,4}[:=\x12]"

_PASSWORD_LITERALS: Final = ("passw", "passphrase", "passcode", "pwd", "pgpass")
_KEY_LITERALS: Final = ("key", "secret", "token")
# Quoted, or bare; only one of the groups takes part.
_VALUE: Final = (
    r"(?:\"([^\"\n\x00]{4,500})|'([^'\n\x00]{4,500})"
    r"|([^\s\"'`&;,<>(){}\[\]\\|\x00]{6,256}))"
)


def _named(name: str, names: str, literals: tuple[str, ...]) -> Kind:
    return Kind(
        name=name,
        pattern=f"(?:{names}){_EQUALS}{_VALUE}",
        literals=literals,
        hint=f"(?:{names}){_NEXT}",
        ignore_case=True,
        check="assigned",
        begins_with_hint=True,
    )


_ASSIGNED: Final = (
    Kind(
        name="aws-secret-access-key",
        pattern=r"(?:secret_?access_?key|aws_?secret(?:_?key)?|secret access key)"
        r"[\"'\s:=>]{1,10}([A-Za-z0-9/+]{40})\b",
        literals=("secret",),
        hint=r"secret[_ ]?access[_ ]?key|aws_?secret",
        ignore_case=True,
    ),
    Kind(
        name="url-password",
        pattern=r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:?#@\"'<>\x00]{0,100}"
        r":([^\s/?#@\"'<>\x00]{1,200})@",
        literals=("://",),
        hint=r":(?:\\{0,8}/){2}[^\s/?#@\"'<>\\\x00-\x1f]{0,150}[:@]"
        r"[^\s/?#@\"'<>\\\x00-\x1f]{1,150}@",
        check="value",
    ),
    Kind(
        name="authorization",
        pattern=r"authorization[\"']?[ \t]{0,2}[:=]\s{0,2}[\"']?"
        r"(?:(?:basic|bearer|token|digest|bot|apikey|api-key)\s{1,2})?"
        r"([^\s\"',;<>{}$\\]{8,})",
        literals=("authorization",),
        begins_with_hint=True,
        hint=f"authorization{_NEXT}",
        ignore_case=True,
        check="random",
    ),
    Kind(
        name="bearer-token",
        pattern=r"\bbearer\s{1,2}([A-Za-z0-9._~+/-]{20,}={0,2})",
        literals=("bearer",),
        begins_with_hint=True,
        hint=r"\bbearer[ \t+][A-Za-z0-9._~+/-]{12}",
        ignore_case=True,
        check="long_random",
    ),
    Kind(
        name="basic-auth",
        pattern=r"\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[\s=]{1,2}[\"']?"
        r"[^\s:\"']{1,100}:([^\s\"']{1,200})",
        literals=("curl",),
        hint=r"\s(?:-u|--user)[\s=]",
        check="value",
    ),
    Kind(
        name="cookie",
        pattern=r"\b(?:set-)?cookie[\"']?:\s{0,2}[\"']?([^\s\"'<>][^\"'\n<>\\]{7,})",
        literals=("cookie",),
        hint=r"cookie[\"'\\]{0,8}[:\x12]",
        ignore_case=True,
        check="pairs",
    ),
    _named("password", _PASSWORD, _PASSWORD_LITERALS),
    _named("api-key", _KEY, _KEY_LITERALS),
    Kind(
        name="api-key",
        pattern=_VARIABLE,
        literals=("_TOKEN", "_SECRET", "_KEY", "_PASS", "_PWD", "_CREDENTIAL"),
        hint=r"_(?:TOKEN|SECRET|KEY|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?)" + _NEXT,
        check="random",
    ),
    Kind(
        name="api-key",
        pattern=f"\\b(?:token|secret|credentials?){_EQUALS}[\"']?([A-Za-z0-9._~+/=-]{{16,500}})",
        literals=("token", "secret", "credential"),
        hint=f"(?:token|secret|credentials?){_NEXT}",
        ignore_case=True,
        check="long_random",
    ),
    Kind(
        name="password",
        pattern=r"--(?:password|passwd|token|api-?key|secret|pass)[ =][\"']?"
        r"([^\s\"'`$<>(){}\\\x00-][^\s\"'`$<>(){}\\\x00]{3,255})",
        literals=("--",),
        hint=r"--(?:password|passwd|token|api-?key|secret|pass)[ =]",
        check="value",
    ),
)

KINDS: Final[tuple[Kind, ...]] = (*_TOKENS, *_ASSIGNED)
"""Every shape; where two begin at one place, the first counts."""

SECRET_NAME: Final = f"(?i)(?:{_PASSWORD}|{_KEY}|authorization|cookie|(?:^|[._-])(?:token|secret|credentials?))$"
"""A name (of an attribute, of a field) whose whole value is a secret."""

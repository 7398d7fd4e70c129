"""Secrets that have a shape of their own, whatever stands beside them."""

from __future__ import annotations

from typing import Final

from fleetspan._secret_kind import Kind

# Where a word begins, also behind an encoded sign in an address, and in a longer name.
_BEGINS: Final = r"(?:\b|_|%[0-9A-Fa-f]{2})"


def _token(name: str, pattern: str, *literals: str, hint: str = "") -> Kind:
    if pattern.startswith(r"\b("):
        pattern = _BEGINS + pattern.removeprefix(r"\b")
    hint = hint.removeprefix(r"\b")
    return Kind(name=name, pattern=pattern, literals=literals, hint=hint)


# Base64 lines of a key, as they stand in files, listings with line numbers, and diffs.
_PEM_BODY: Final = r"(?:\s{0,4}[A-Za-z-]{4,20}: [^\n\"]{1,200}\n){0,4}[A-Za-z0-9+/=\s|>]*(?:→[A-Za-z0-9+/=\s|>]*){0,2000}"

TOKENS: Final[tuple[Kind, ...]] = (
    _token("fleetspan-key", r"\b(fsk_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43})", "fsk_"),
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
        r"(gh[opsur]_[0-9A-Za-z]{36,255})",
        *("ghp_", "gho_", "ghs_", "ghu_", "ghr_"),
        hint=r"gh[opsur]_[0-9A-Za-z]{8}",
    ),
    _token("github-token", r"(github_pat_[0-9A-Za-z_]{22,255})", "github_pat_"),
    _token(
        "gitlab-token",
        r"(gl(?:pat|ptt|dt|rt|rtr|cbt|soat|ft|agent|imt|ffct|oas)-[0-9A-Za-z_.-]{20,300})",
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
        r"([prs]k_(?:live|test|prod)_[0-9A-Za-z]{10,255})",
        *("k_live_", "k_test_", "k_prod_"),
    ),
    _token("stripe-key", r"(whsec_[A-Za-z0-9+/=]{24,100})", "whsec_"),
    _token("anthropic-key", r"(sk-ant-[A-Za-z0-9_-]{20,255})", "sk-ant-"),
    _token("openrouter-key", r"(sk-or-v1-[0-9a-f]{32,128})", "sk-or-v1-"),
    _token("langfuse-key", r"(sk-lf-[0-9a-f-]{36})", "sk-lf-"),
    _token(
        "openai-key",
        r"(sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,255})",
        *("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"),
    ),
    _token(
        "openai-key",
        r"\b(sk-[A-Za-z0-9]{32,128})\b",
        "sk-",
        hint=r"\bsk-[A-Za-z0-9]{20}",
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
        r"\b(eyJ[A-Za-z0-9_-]{8,500}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        ".eyJ",
    ),
    _token(
        "jwt",
        r"\b(eyJ[A-Za-z0-9_-]{8,500}\.[A-Za-z0-9_-]{0,800}\.[A-Za-z0-9_-]{16,40}"
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
        r"(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b",
        *("shpat_", "shpca_", "shppa_", "shpss_"),
    ),
    _token(
        "digitalocean-token",
        r"(do[opr]_v1_[0-9a-f]{64})\b",
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
        "atlassian-token", r"(AT[AC]TT3[A-Za-z0-9_=.-]{50,500})", "ATATT3", "ATCTT3"
    ),
    _token(
        "linear-key",
        r"(lin_(?:api|oauth)_[A-Za-z0-9]{32,64})\b",
        "lin_api_",
        "lin_oauth_",
    ),
    _token("notion-token", r"(ntn_[0-9]{9,13}[A-Za-z0-9]{30,40})\b", "ntn_"),
    _token("sentry-token", r"(sntr[ysu]{2}_[A-Za-z0-9+/=_-]{40,400})", "sntry"),
    _token("grafana-token", r"\b(gl(?:sa|c)_[A-Za-z0-9+/=_]{32,400})", "glsa_", "glc_"),
    _token(
        "newrelic-key",
        r"(NR(?:AK|JS|II|RA)-[A-Za-z0-9_-]{20,64})",
        "NRAK-",
        "NRJS-",
        "NRII-",
        "NRRA-",
    ),
    _token("docker-token", r"(dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64})", "dckr_"),
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
        r"(sb(?:p_[0-9a-f]{40}|_secret_[A-Za-z0-9_-]{20,64}))",
        "sbp_",
        "sb_secret_",
    ),
    _token(
        "planetscale-token",
        r"(pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,70})",
        "pscale_",
    ),
    _token("postman-key", r"(PMAK-[0-9a-f]{24}-[0-9a-f]{34})\b", "PMAK-"),
    _token(
        "pulumi-token", r"\b(pul-[0-9a-f]{40})\b", "pul-", hint=r"\bpul-[0-9a-f]{12}"
    ),
    _token("square-token", r"(sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,60})", "sq0"),
    _token(
        "figma-token",
        r"(fig[dour]_[A-Za-z0-9_-]{40,60})",
        "figd_",
        "figo_",
        "figu_",
        "figr_",
    ),
    _token("1password-token", r"\b(ops_eyJ[A-Za-z0-9_-]{100,1000})", "ops_eyJ"),
)
"""One row per shape."""

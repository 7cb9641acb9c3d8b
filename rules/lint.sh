#!/bin/sh
# Checks the shipped rules and configuration with their own programs: rules/lint.sh [PYTHON]
# Run from the checkout's root. The programs are found, unpacked or built by lab.stack.
set -eu
python=${1:-python3}

path() {
    line=$("$python" -m lab.stack "$1")
    printf '%s\n' "${line##* }"
}

promtool=$(path promtool)
amtool=$(path amtool)
pint=$(path pint)
"$promtool" check config rules/prometheus.yml
"$amtool" check-config rules/alertmanager.yml
"$pint" --no-color --offline --config .pint.hcl lint --min-severity=info --fail-on=warning rules/recording rules/alerts

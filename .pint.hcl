# pint's checks of the rules, offline: no Prometheus is asked (rules/lint.sh).
parser {
  schema = "prometheus"
  names  = "utf-8"
}

rule {
  match {
    kind = "alerting"
  }

  annotation "summary" {
    required = true
    severity = "bug"
  }

  annotation "description" {
    required = true
    severity = "bug"
  }

  annotation "runbook_url" {
    required = true
    severity = "bug"
  }

  annotation "dashboard_url" {
    required = true
    severity = "bug"
  }

  label "severity" {
    value    = "critical|warning|info"
    required = true
    severity = "bug"
  }
}

# The watchdog has no `for`: a heartbeat starts at once.
rule {
  match {
    kind = "alerting"
  }

  ignore {
    name = "VigieWatchdog"
  }

  for {
    min      = "1m"
    max      = "1h"
    severity = "bug"
  }
}

rule {
  match {
    kind = "recording"
  }

  name "(([a-z][a-z0-9_]*):){1,2}[a-z][a-z0-9_]*" {
    severity = "bug"
  }
}

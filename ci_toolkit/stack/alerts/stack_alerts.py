"""What is wrong with the programs that watch over the farm.

Source of the metrics: Prometheus 2.42 and Alertmanager 0.25 as they expose them, Promtail 3.5's client/client.go.
"""

from __future__ import annotations

from ci_toolkit.stack_fragments.spec import Alert, AlertCase, Firing

_FAILED = "alertmanager_notifications_failed_total"

PART_DOWN = Alert(
    name="StackPartDown",
    expr='up{job!~"ci-toolkit-farm|ci-toolkit-workers"} == 0',
    lasting="5m",
    severity="warning",
    summary="{{ $labels.job }} at {{ $labels.instance }} does not answer.",
    description="Builds go on without it. See whether its service or container runs, and its log.",
    cases=(
        AlertCase(
            series={
                'up{job="loki", instance="loki:3100"}': "1 0x20",
                'up{job="plugin-mirror", instance="mirror:80", plugin="mirror"}': "1 0x20",
                'up{job="ci-toolkit-farm", instance="farm"}': "0x20",
                'up{job="ci-toolkit-workers", instance="big", worker="big"}': "0x20",
            },
            at="10m",
            fires=(
                Firing(labels={"job": "loki", "instance": "loki:3100"}, summary="loki at loki:3100 does not answer."),
                Firing(
                    labels={"job": "plugin-mirror", "instance": "mirror:80", "plugin": "mirror"},
                    summary="plugin-mirror at mirror:80 does not answer.",
                ),
            ),
        ),
        AlertCase(series={'up{job="grafana", instance="grafana:3000"}': "1 0 0 1x20"}, at="10m"),
    ),
)
ALERTS_ARE_NOT_DELIVERED = Alert(
    name="StackAlertsAreNotDelivered",
    expr=f"sum by (integration) (increase({_FAILED}[30m])) > 3",
    severity="critical",
    summary="Alertmanager cannot tell anybody of alerts by {{ $labels.integration }}.",
    description="Its log has the answer it got: address, password or token. Grafana's Alerting shows what fires.",
    cases=(
        AlertCase(
            series={f'{_FAILED}{{integration="email"}}': "0+1x40", f'{_FAILED}{{integration="webhook"}}': "0x40"},
            at="30m",
            fires=(
                Firing(labels={"integration": "email"}, summary="Alertmanager cannot tell anybody of alerts by email."),
            ),
        ),
        AlertCase(series={f'{_FAILED}{{integration="email"}}': "0x20 1x20"}, at="30m"),
    ),
)
ALERTS_ARE_LOST = Alert(
    name="StackAlertsAreLost",
    expr="increase(prometheus_notifications_dropped_total[15m]) > 0",
    severity="warning",
    summary="Prometheus could not hand alerts to Alertmanager.",
    description="What still fires is handed over again. See whether Alertmanager runs and is reached.",
    cases=(
        AlertCase(
            series={'prometheus_notifications_dropped_total{job="prometheus", instance="p"}': "0x10 2x20"},
            at="15m",
            fires=(
                Firing(
                    labels={"job": "prometheus", "instance": "p"},
                    summary="Prometheus could not hand alerts to Alertmanager.",
                ),
            ),
        ),
        AlertCase(series={'prometheus_notifications_dropped_total{job="prometheus", instance="p"}': "2x40"}, at="30m"),
    ),
)
CONFIGURATION_IS_REFUSED = Alert(
    name="StackConfigurationIsRefused",
    expr="prometheus_config_last_reload_successful == 0 or alertmanager_config_last_reload_successful == 0",
    lasting="5m",
    severity="warning",
    summary="{{ $labels.job }} goes on with an older configuration than the one that lies there.",
    description="Its log says what it does not understand; `ci-toolkit stack render --check` may, too.",
    cases=(
        AlertCase(
            series={
                'prometheus_config_last_reload_successful{job="prometheus", instance="p"}': "1x20",
                'alertmanager_config_last_reload_successful{job="alertmanager", instance="a"}': "1 0x20",
            },
            at="10m",
            fires=(
                Firing(
                    labels={"job": "alertmanager", "instance": "a"},
                    summary="alertmanager goes on with an older configuration than the one that lies there.",
                ),
            ),
        ),
        AlertCase(
            series={'prometheus_config_last_reload_successful{job="prometheus", instance="p"}': "1 0 0 1x20"},
            at="10m",
        ),
    ),
)
RULES_FAIL = Alert(
    name="StackRulesFail",
    expr="sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[30m])) > 0",
    severity="warning",
    summary="Alerts of {{ $labels.rule_group }} cannot be worked out.",
    description="What they watch over goes unnoticed. Alerting in Grafana says which of them, and why.",
    cases=(
        AlertCase(
            series={'prometheus_rule_evaluation_failures_total{rule_group="/r/farm.yml;farm"}': "0x10 5x20"},
            at="20m",
            fires=(
                Firing(
                    labels={"rule_group": "/r/farm.yml;farm"},
                    summary="Alerts of /r/farm.yml;farm cannot be worked out.",
                ),
            ),
        ),
        AlertCase(
            series={'prometheus_rule_evaluation_failures_total{rule_group="/r/farm.yml;farm"}': "5x60"}, at="50m"
        ),
    ),
)
LOGS_ARE_LOST = Alert(
    name="StackLogsAreLost",
    expr="sum by (reason) (increase(promtail_dropped_entries_total[30m])) > 0",
    severity="warning",
    summary="Loki did not take {{ $value | humanize }} lines of logs: {{ $labels.reason }}.",
    description="They are still where they were written. Promtail's log has Loki's answer.",
    cases=(
        AlertCase(
            series={'promtail_dropped_entries_total{host="loki:3100", reason="rate_limited"}': "0+1x40"},
            at="30m",
            fires=(
                Firing(labels={"reason": "rate_limited"}, summary="Loki did not take 30 lines of logs: rate_limited."),
            ),
        ),
        AlertCase(series={'promtail_dropped_entries_total{host="loki:3100", reason="rate_limited"}': "7x40"}, at="30m"),
    ),
)

STACK_ALERTS: tuple[Alert, ...] = (
    PART_DOWN,
    ALERTS_ARE_NOT_DELIVERED,
    ALERTS_ARE_LOST,
    CONFIGURATION_IS_REFUSED,
    RULES_FAIL,
    LOGS_ARE_LOST,
)

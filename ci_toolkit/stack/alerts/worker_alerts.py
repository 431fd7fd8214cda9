"""What is wrong with workers."""

from __future__ import annotations

from ci_toolkit.stack_fragments.spec import Alert, AlertCase, Firing

_FARM = 'job="ci-toolkit-farm", instance="farm"'
_BIG = 'job="ci-toolkit-workers", instance="big:9990", worker="big"'
_BIG_LABELS = {"job": "ci-toolkit-workers", "instance": "big:9990", "worker": "big"}

WITHOUT_WORKERS = Alert(
    name="FarmWithoutWorkers",
    expr=(
        'sum without (state) (ci_toolkit_farm_workers{state=~"idle|busy"}) == 0'
        " and on (job, instance) sum by (job, instance) (ci_toolkit_farm_jobs) > 0"
    ),
    lasting="10m",
    severity="critical",
    summary="Jobs wait, and no worker takes any.",
    description="/workers of the farm says for each of them why.",
    cases=(
        AlertCase(
            series={
                f'ci_toolkit_farm_workers{{{_FARM}, state="idle"}}': "0x20",
                f'ci_toolkit_farm_workers{{{_FARM}, state="busy"}}': "0x20",
                f'ci_toolkit_farm_workers{{{_FARM}, state="draining"}}': "2x20",
                f'ci_toolkit_farm_jobs{{{_FARM}, repository="mine"}}': "5x20",
            },
            at="15m",
            fires=(
                Firing(
                    labels={"job": "ci-toolkit-farm", "instance": "farm"},
                    summary="Jobs wait, and no worker takes any.",
                ),
            ),
        ),
        AlertCase(
            series={
                f'ci_toolkit_farm_workers{{{_FARM}, state="idle"}}': "0x20",
                f'ci_toolkit_farm_workers{{{_FARM}, state="busy"}}': "1x20",
                f'ci_toolkit_farm_jobs{{{_FARM}, repository="mine"}}': "5x20",
            },
            at="15m",
        ),
        AlertCase(
            series={
                f'ci_toolkit_farm_workers{{{_FARM}, state="idle"}}': "0x20",
                f'ci_toolkit_farm_workers{{{_FARM}, state="busy"}}': "0x20",
                f'ci_toolkit_farm_jobs{{{_FARM}, repository="mine"}}': "0x20",
            },
            at="15m",
        ),
    ),
)
SET_ASIDE = Alert(
    name="FarmWorkerSetAside",
    expr='ci_toolkit_farm_worker_state{state=~"quarantined|unfit"} == 1',
    lasting="1m",
    severity="warning",
    summary="The worker {{ $labels.worker }} is {{ $labels.state }}.",
    description=(
        "/workers of the farm says why. One that is unfit recovers once its version fits; one in quarantine waits for"
        " `ci-toolkit farm resume {{ $labels.worker }}`, after a look at its disk and memory."
    ),
    cases=(
        AlertCase(
            series={
                'ci_toolkit_farm_worker_state{worker="big", state="quarantined"}': "0 1x20",
                'ci_toolkit_farm_worker_state{worker="big", state="idle"}': "1 0x20",
                'ci_toolkit_farm_worker_state{worker="small", state="unfit"}': "0x20",
            },
            at="5m",
            fires=(
                Firing(
                    labels={"worker": "big", "state": "quarantined"},
                    summary="The worker big is quarantined.",
                    description=(
                        "/workers of the farm says why. One that is unfit recovers once its version fits; one in"
                        " quarantine waits for `ci-toolkit farm resume big`, after a look at its disk and memory."
                    ),
                ),
            ),
        ),
        AlertCase(
            series={
                'ci_toolkit_farm_worker_state{worker="big", state="quarantined"}': "0x20",
                'ci_toolkit_farm_worker_state{worker="big", state="draining"}': "1x20",
            },
            at="5m",
        ),
    ),
)
LOST = Alert(
    name="FarmWorkersLost",
    expr="sum by (repository) (increase(ci_toolkit_farm_losses_total[1h])) > 5",
    severity="warning",
    summary="In an hour {{ $value | humanize }} builds of {{ $labels.repository }} lost their worker.",
    description="They are built again. /workers of the farm shows whether it is one machine or the way to all.",
    cases=(
        AlertCase(
            series={'ci_toolkit_farm_losses_total{repository="mine"}': "0+1x60"},
            at="60m",
            fires=(Firing(labels={"repository": "mine"}, summary="In an hour 60 builds of mine lost their worker."),),
        ),
        AlertCase(series={'ci_toolkit_farm_losses_total{repository="mine"}': "0x10 1x20 2x30"}, at="60m"),
    ),
)
DOWN = Alert(
    name="FarmWorkerDown",
    expr='up{job="ci-toolkit-workers"} == 0',
    lasting="2m",
    severity="warning",
    summary="The worker {{ $labels.worker }} does not answer at {{ $labels.instance }}.",
    description="What it built is built elsewhere. Look at the machine, then at the worker's log.",
    cases=(
        AlertCase(
            series={f"up{{{_BIG}}}": "1 1 0x20", 'up{job="ci-toolkit-workers", worker="one", instance="one"}': "1x20"},
            at="5m",
            fires=(
                Firing(
                    labels=_BIG_LABELS,
                    summary="The worker big does not answer at big:9990.",
                ),
            ),
        ),
        AlertCase(series={f"up{{{_BIG}}}": "1x5 0 1x20"}, at="7m"),
        AlertCase(series={'up{job="ci-toolkit-farm", instance="farm"}': "0x20"}, at="7m"),
    ),
)
DIED = Alert(
    name="FarmWorkerDied",
    # One that is stopped in peace finishes what it builds first, so that no build is lost with it.
    expr=(
        'ci_toolkit_farm_worker_state{state="away"} == 1'
        " and on (worker) max_over_time(ci_toolkit_farm_worker_running_builds[5m]) > 0"
        " and on (job) sum by (job) (increase(ci_toolkit_farm_losses_total[5m])) > 0"
    ),
    severity="warning",
    summary="The worker {{ $labels.worker }} went away while it built.",
    description="What it built is queued again, for another worker. Look at the machine, then at the worker's log.",
    cases=(
        AlertCase(
            series={
                f'ci_toolkit_farm_worker_state{{{_FARM}, worker="big", state="away"}}': "0 0 1x10",
                f'ci_toolkit_farm_worker_state{{{_FARM}, worker="one", state="away"}}': "1x12",
                f'ci_toolkit_farm_worker_running_builds{{{_FARM}, worker="big"}}': "2 2 0x10",
                f'ci_toolkit_farm_worker_running_builds{{{_FARM}, worker="one"}}': "0x12",
                f'ci_toolkit_farm_losses_total{{{_FARM}, repository="mine"}}': "0 0 2x10",
            },
            at="3m",
            fires=(
                Firing(
                    labels={"job": "ci-toolkit-farm", "instance": "farm", "worker": "big", "state": "away"},
                    summary="The worker big went away while it built.",
                ),
            ),
        ),
        AlertCase(
            series={
                f'ci_toolkit_farm_worker_state{{{_FARM}, worker="big", state="away"}}': "0 0 1x10",
                f'ci_toolkit_farm_worker_running_builds{{{_FARM}, worker="big"}}': "2 2 0x10",
                f'ci_toolkit_farm_losses_total{{{_FARM}, repository="mine"}}': "0x12",
            },
            at="3m",
        ),
    ),
)
AWAY = Alert(
    name="FarmWorkerAway",
    expr='ci_toolkit_farm_worker_state{state="away"} == 1',
    lasting="15m",
    severity="warning",
    summary="The worker {{ $labels.worker }} is not connected to the master.",
    description=(
        "Its log says why: the network, a certificate or its password. One that is gone for good leaves farm.toml, too."
    ),
    cases=(
        AlertCase(
            series={
                'ci_toolkit_farm_worker_state{worker="big", state="away"}': "0 1x30",
                'ci_toolkit_farm_worker_state{worker="big", state="idle"}': "1 0x30",
                'ci_toolkit_farm_worker_state{worker="one", state="away"}': "0x30",
            },
            at="20m",
            fires=(
                Firing(
                    labels={"worker": "big", "state": "away"},
                    summary="The worker big is not connected to the master.",
                ),
            ),
        ),
        AlertCase(series={'ci_toolkit_farm_worker_state{worker="big", state="away"}': "0 1x10 0x30"}, at="20m"),
    ),
)
UNSTEADY = Alert(
    name="FarmWorkerUnsteady",
    expr="increase(ci_toolkit_worker_connection_losses_total[1h]) > 4",
    severity="warning",
    summary="The worker {{ $labels.worker }} has lost its master {{ $value | humanize }} times in an hour.",
    description="Each time its builds are begun anew. Look at the network, and at the load of its machine.",
    cases=(
        AlertCase(
            series={f"ci_toolkit_worker_connection_losses_total{{{_BIG}}}": "0+1x60"},
            at="60m",
            fires=(
                Firing(
                    labels=_BIG_LABELS,
                    summary="The worker big has lost its master 60 times in an hour.",
                ),
            ),
        ),
        AlertCase(series={f"ci_toolkit_worker_connection_losses_total{{{_BIG}}}": "0x30 1x30"}, at="60m"),
    ),
)
DISK_FILLS = Alert(
    name="FarmWorkerDiskFills",
    expr="ci_toolkit_worker_disk_free_bytes / ci_toolkit_worker_disk_size_bytes < 0.1",
    lasting="15m",
    severity="warning",
    summary="The disk of the worker {{ $labels.worker }} has {{ $value | humanizePercentage }} left.",
    description=(
        "Builds will fail for want of room. Free some, or lower CI_BUILD_DISK; `ci-toolkit farm drain"
        " {{ $labels.worker }}` keeps builds away meanwhile."
    ),
    cases=(
        AlertCase(
            series={
                f"ci_toolkit_worker_disk_free_bytes{{{_BIG}}}": "5e9x30",
                f"ci_toolkit_worker_disk_size_bytes{{{_BIG}}}": "100e9x30",
            },
            at="20m",
            fires=(
                Firing(
                    labels=_BIG_LABELS,
                    summary="The disk of the worker big has 5% left.",
                    description=(
                        "Builds will fail for want of room. Free some, or lower CI_BUILD_DISK; `ci-toolkit farm drain"
                        " big` keeps builds away meanwhile."
                    ),
                ),
            ),
        ),
        AlertCase(
            series={
                f"ci_toolkit_worker_disk_free_bytes{{{_BIG}}}": "50e9 5e9x5 50e9x30",
                f"ci_toolkit_worker_disk_size_bytes{{{_BIG}}}": "100e9x40",
            },
            at="20m",
        ),
    ),
)

WORKER_ALERTS: tuple[Alert, ...] = (WITHOUT_WORKERS, SET_ASIDE, LOST, DOWN, DIED, AWAY, UNSTEADY, DISK_FILLS)

//! The workloads, as they are told: columns, what the score is computed from, plots, and targets.

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    pub(super) key: &'static str,
    pub(super) heading: &'static str,
    /// Costs of CPU hold on a busy machine, within about a tenth; times and rates do not.
    pub(super) steady: bool,
}

const fn metric(key: &'static str, heading: &'static str) -> Metric {
    Metric {
        key,
        heading,
        steady: false,
    }
}

const fn steady(key: &'static str, heading: &'static str) -> Metric {
    Metric {
        key,
        heading,
        steady: true,
    }
}

/// How a workload is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) metrics: &'static [Metric],
    /// What the score is computed from.
    pub(super) main: &'static str,
    pub(super) better: Better,
    /// What a plot shows over the size.
    pub(super) plots: &'static [(&'static str, &'static str, &'static str)],
    pub(super) target: &'static str,
}

/// All workloads, in the order of the report.
pub(super) const SPECS: &[Spec] = &[
    Spec {
        id: "L",
        title: "Limits of the machine",
        metrics: &[
            metric("rate", "per second"),
            metric("p50_ms", "p50 ms"),
            steady("server_us", "server us"),
            steady("both_us", "both us"),
        ],
        main: "p50_ms",
        better: Better::Less,
        plots: &[],
        target: "",
    },
    Spec {
        id: "W1",
        title: "Queue, saturated (closed loop, one request per job, all durable)",
        metrics: &[
            metric("rate", "jobs/s"),
            steady("server_us", "server us/job"),
            steady("client_us", "client us/job"),
            metric("p50_ms", "e2e p50 ms"),
            metric("p99_ms", "e2e p99 ms"),
            metric("dispatch_p50_ms", "dispatch p50 ms"),
            metric("batch", "transactions/commit"),
            metric("rss_mib", "RSS MiB"),
            steady("jobs", "jobs kept through kill -9"),
        ],
        main: "rate",
        better: Better::More,
        plots: &[
            ("rate", "jobs per second", "agents"),
            ("server_us", "CPU of the server per job, us", "agents"),
        ],
        target: "near 0.85 at 1,000 agents, 0.80 at 256/256, 0.60 at 16/16; ahead 1.5 at 1,000 agents, 1.0 at 256/256 and 16/16",
    },
    Spec {
        id: "W2",
        title: "Fan-out (one request, a job for each agent)",
        metrics: &[
            metric("accepted_ms", "accepted ms"),
            metric("dispatched_ms", "all dispatched ms"),
            metric("ended_ms", "all ended ms"),
            metric("per_job_us", "us/job in all"),
            steady("server_us", "server us/job"),
            metric("written_per_job", "bytes written/job"),
        ],
        main: "ended_ms",
        better: Better::Less,
        plots: &[("ended_ms", "until the last result is durable, ms", "agents")],
        target: "near 0.80; ahead 1.0 from 100 agents; exponent at most 1.05",
    },
    Spec {
        id: "W3",
        title: "Dispatch at low load (open loop)",
        metrics: &[
            metric("dispatch_p50_ms", "dispatch p50 ms"),
            metric("dispatch_p99_ms", "dispatch p99 ms"),
            metric("p50_ms", "e2e p50 ms"),
            metric("p99_ms", "e2e p99 ms"),
            steady("server_us", "server us/job"),
        ],
        main: "dispatch_p50_ms",
        better: Better::Less,
        plots: &[(
            "dispatch_p50_ms",
            "due until the agent has the job, p50, ms",
            "agents",
        )],
        target: "near 0.5 (twice the limit of append and loopback); ahead 1.0; p99 at most 3 x p50; the same from 10 to 10,000 agents",
    },
    Spec {
        id: "W4",
        title: "Idle fleet",
        metrics: &[
            metric("rss_kib_per_agent", "RSS KiB/agent"),
            steady("cpu_percent", "CPU % of a core"),
            steady("us_per_beat", "us/heartbeat"),
            metric("beat_p50_ms", "heartbeat p50 ms"),
            metric("beat_p99_ms", "heartbeat p99 ms"),
            steady("beats", "heartbeats"),
            steady("ended", "sessions ended"),
            steady("transactions_s", "transactions/s"),
        ],
        main: "rss_kib_per_agent",
        better: Better::Less,
        plots: &[
            ("rss_kib_per_agent", "memory of the hub per agent, KiB", "agents"),
            ("cpu_percent", "CPU of the hub, % of a core", "agents"),
        ],
        target: "at most 48 KiB/agent at 10,000 and 1.05 of the figure at 1,000; at most 100 us per heartbeat, 1 % of a core",
    },
    Spec {
        id: "W5",
        title: "Storm (all agents dial at once: first, after the hub was killed, and to full queues)",
        metrics: &[
            metric("seconds", "s until all have sessions"),
            metric("per_second", "sessions/s"),
            steady("server_us", "server us/session"),
            metric("dial_p50_ms", "dial p50 ms"),
            metric("dial_p99_ms", "dial p99 ms"),
            metric("failures", "failed dials"),
            steady("resumed", "resumed"),
            metric("drained_s", "s until waiting jobs ended"),
            steady("peak_mib", "peak RSS MiB"),
        ],
        main: "seconds",
        better: Better::Less,
        plots: &[("seconds", "until all agents have sessions, s", "agents")],
        target: "CPU per session at most 1.6 x a handshake; 10,000 within 5 s with the agents on the same 2 cores; at most 256 MiB where 10,000 jobs wait for 1,000 agents",
    },
    Spec {
        id: "W6",
        title: "Deployment of many stacks over five accounts (emulated AWS)",
        metrics: &[
            metric("seconds", "s"),
            metric("calls_per_stack", "API calls/stack"),
            metric("lag_p50_s", "lag p50 s"),
        ],
        main: "seconds",
        better: Better::Less,
        plots: &[(
            "seconds",
            "until the last stack is known to be complete, s",
            "stacks",
        )],
        target: "near 0.95 with slow stacks, 0.91 with quick ones, from 50 stacks; lag p50 at most 1 s",
    },
    Spec {
        id: "W7",
        title: "Rendering",
        metrics: &[
            steady("warm_us", "warm us"),
            steady("parse_us", "warm + parse us"),
            steady("cold_us", "cold us"),
            metric("wall_us", "asked for, p50 us"),
        ],
        main: "parse_us",
        better: Better::Less,
        plots: &[("parse_us", "CPU per render with its result read, us", "resources")],
        target: "near 0.83; ahead 10 warm, 5 with parse, 20 cold",
    },
    Spec {
        id: "W8",
        title: "Footprint of the agent",
        metrics: &[
            metric("binary_mb", "binary MB"),
            metric("rss_mib", "RSS MiB"),
            metric("anonymous_mib", "anonymous MiB"),
            metric("cpu_s_per_day", "CPU s/day"),
        ],
        main: "rss_mib",
        better: Better::Less,
        plots: &[],
        target: "at most 20 MB, at most 20 MiB resident while connected",
    },
    Spec {
        id: "W9",
        title: "History (W1 over jobs that have ended, or wait for agents that are away)",
        metrics: &[
            metric("rate", "jobs/s"),
            steady("server_us", "server us/job"),
            metric("written_per_job", "bytes written/job"),
            metric("list_p99_ms", "list p99 ms"),
        ],
        main: "rate",
        better: Better::More,
        plots: &[],
        target: "at most 10 % less with finished jobs, 20 % with open ones",
    },
    Spec {
        id: "W10",
        title: "Replicas on PostgreSQL",
        metrics: &[
            metric("rate", "jobs/s"),
            steady("server_us", "hubs us/job"),
            steady("database_us", "PostgreSQL us/job"),
            metric("p50_ms", "e2e p50 ms"),
            metric("p99_ms", "e2e p99 ms"),
            metric("takeover_s", "take-over s"),
        ],
        main: "rate",
        better: Better::More,
        plots: &[("rate", "jobs per second", "hubs")],
        target: "one hub 1.5 x the peer on PostgreSQL; take-over within 5 s",
    },
    Spec {
        id: "W11",
        title: "Console (open pages that follow a deployment; a page of many rows)",
        metrics: &[
            metric("p50_ms", "commit to page p50 ms"),
            metric("p99_ms", "commit to page p99 ms"),
            steady("events", "events heard"),
            steady("cpu_percent", "CPU % of a core"),
            steady("page_ms", "CPU ms/page"),
            steady("page_kib", "KiB/page"),
        ],
        main: "p50_ms",
        better: Better::Less,
        plots: &[],
        target: "p50 at most 300 ms with 200 open pages; at most 20 ms of CPU for a page of 500 rows",
    },
];

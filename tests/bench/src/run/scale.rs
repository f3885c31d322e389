//! How much of everything a run measures.

use std::time::Duration;

use super::Flags;

/// How much of everything.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) rounds: u32,
    pub(crate) sizes: Vec<u32>,
    /// Outstanding jobs and agents of W1.
    pub(crate) saturated: Vec<(u32, u32)>,
    pub(crate) warm: Duration,
    pub(crate) span: Duration,
    /// Jobs a second at low load, and for how long.
    pub(crate) low: (f64, Duration),
    pub(crate) low_sizes: Vec<u32>,
    pub(crate) idle: Duration,
    pub(crate) heartbeat: u64,
    pub(crate) idle_sizes: Vec<u32>,
    /// Agents that come to full queues, and how many jobs wait for each.
    pub(crate) waiting: Vec<(u32, u32)>,
    /// Finished and open jobs of W9.
    pub(crate) history: Vec<(u32, u32)>,
    pub(crate) history_load: (u32, u32),
    pub(crate) replicas: Vec<u32>,
    pub(crate) replica_load: (u32, u32),
    /// Resources of the templates of W7.
    pub(crate) resources: Vec<u32>,
    pub(crate) crash: bool,
    /// Open pages, events, and rows of a page of W11.
    pub(crate) console: (u32, u32, u32),
}

impl Scale {
    pub(super) fn of(flags: &Flags) -> Self {
        let (full, quick) = (!flags.quick && !flags.smoke, flags.quick);
        let seconds = Duration::from_secs_f64;
        let mut scale = if full {
            Self {
                rounds: 5,
                sizes: vec![10, 100, 1_000, 10_000],
                saturated: vec![
                    (1, 16),
                    (16, 16),
                    (256, 10),
                    (256, 100),
                    (256, 256),
                    (256, 1_000),
                    (1_024, 1_000),
                    (256, 10_000),
                ],
                warm: seconds(1.0),
                span: seconds(5.0),
                low: (20.0, seconds(51.0)),
                low_sizes: vec![10, 100, 1_000, 10_000],
                idle: seconds(60.0),
                heartbeat: 30,
                idle_sizes: vec![10, 100, 1_000, 10_000],
                waiting: vec![(1_000, 10)],
                history: vec![(0, 0), (10_000, 0), (1_000_000, 0), (0, 10_000)],
                history_load: (256, 1_000),
                replicas: vec![1, 2, 3],
                replica_load: (256, 1_000),
                resources: vec![10, 100, 1_000],
                crash: true,
                console: (200, 300, 500),
            }
        } else if quick {
            Self {
                rounds: 3,
                sizes: vec![10, 100, 1_000],
                saturated: vec![(16, 16), (256, 256), (256, 1_000)],
                warm: seconds(0.4),
                span: seconds(1.2),
                low: (200.0, seconds(1.5)),
                low_sizes: vec![10, 1_000],
                idle: seconds(5.0),
                heartbeat: 2,
                idle_sizes: vec![100, 1_000],
                waiting: vec![(1_000, 10)],
                history: vec![(0, 0), (10_000, 0)],
                history_load: (256, 256),
                replicas: vec![1, 2],
                replica_load: (64, 100),
                resources: vec![10, 100],
                crash: true,
                console: (200, 100, 500),
            }
        } else {
            Self {
                rounds: 1,
                sizes: vec![2, 8],
                saturated: vec![(4, 8)],
                warm: seconds(0.05),
                span: seconds(0.2),
                low: (50.0, seconds(0.2)),
                low_sizes: vec![8],
                idle: seconds(0.5),
                heartbeat: 1,
                idle_sizes: vec![8],
                waiting: vec![(8, 6)],
                history: vec![(0, 0), (200, 20)],
                history_load: (4, 8),
                replicas: vec![2],
                replica_load: (4, 8),
                resources: vec![3],
                crash: true,
                console: (8, 10, 8),
            }
        };
        if let Some(rounds) = flags.rounds {
            scale.rounds = rounds.max(1);
        }
        if !flags.sizes.is_empty() {
            scale.sizes.clone_from(&flags.sizes);
            scale.low_sizes.clone_from(&flags.sizes);
            scale.idle_sizes.clone_from(&flags.sizes);
            scale.waiting = flags.sizes.iter().map(|size| (*size, 10)).collect();
            scale.saturated = flags
                .sizes
                .iter()
                .map(|size| (256.min(*size).max(1), *size))
                .collect();
        }
        scale
    }
}
